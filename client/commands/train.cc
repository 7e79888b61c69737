#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/commands/command.h"
#include "client/commands/job_follow.h"
#include "client/commands/job_report.h"
#include "client/commands/job_view.h"
#include "client/commands/names.h"
#include "client/commands/sweep.h"
#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace graft::commands {
namespace {

constexpr char kTrainFooter[] =
    R"(What is not given comes from the preset; --validate-only shows what that is. Ctrl-C stops watching, not the job.

Examples:
  graft train --dataset animals --backbone mobilenet_v2
  graft train --dataset animals --backbone mobilenet_v2 --preset fast
  graft train --dataset animals --backbone efficientnet_v2_b0 --preset balanced
  graft train --dataset animals --backbone mobilenet_v2 --sweep lr=1e-4:1e-1:16,weight_decay=0/1e-4/1e-3/1e-2
  graft train --dataset animals:3 --init-from animals@production --model animals
  graft train --spec phases.json --dataset animals --seed 1
  graft train --dataset animals:2 --backbone efficientnet_v2_b0 --model animals --epochs 25 --alias production
  graft -o json train --dataset animals --backbone mobilenet_v2 | jq .result.testAccuracy)";

constexpr int64_t kMaxSpecBytes = 1 << 20;

struct TrainOptions {
  std::string spec_file;
  std::string dataset, backbone, model, preset, device, alias, decode, precision, priority, max_duration, solver;
  std::string trainable, augment, class_weights, init_from, teacher;
  std::string request_id;
  std::optional<int32_t> epochs, patience, batch_size;
  std::optional<double> learning_rate, weight_decay, l2, label_smoothing, train_fraction, validation_fraction;
  std::vector<std::string> sweep;
  std::optional<uint32_t> seed;
  std::optional<int32_t> folds, fold, views;
  bool validate_only = false;
  bool detach = false;
};

// Of "90s", "30m", "1h30m".
absl::StatusOr<google::protobuf::Duration> ParseLimit(const std::string& text) {
  absl::Duration limit;
  if (!absl::ParseDuration(text, &limit) || limit == absl::InfiniteDuration()) {
    return InvalidField("--max-duration", absl::StrCat("'", text, "' is no time; write it as 90s, 30m or 1h30m"));
  }
  google::protobuf::Duration result;
  result.set_seconds(absl::IDivDuration(limit, absl::Seconds(1), &limit));
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(limit)));
  return result;
}

absl::Status ReadSpec(const std::string& path, v1::TrainSpec& spec) {
  if (path.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxSpecBytes));
  const absl::Status parsed = FromJson(text, spec);
  return parsed.ok() ? parsed : WithContext(parsed, absl::StrCat("--spec ", path));
}

template <typename Set>
void SetIfGiven(const std::string& value, Set set) {
  if (!value.empty()) set(value);
}
template <typename T, typename Set>
void SetIfGiven(const std::optional<T>& value, Set set) {
  if (value) set(*value);
}

// Over what the file says.
void SetFlags(const TrainOptions& options, v1::TrainSpec& spec) {
  SetIfGiven(options.dataset, [&](const auto& value) { spec.set_dataset(value); });
  SetIfGiven(options.backbone, [&](const auto& value) { spec.set_backbone(value); });
  SetIfGiven(options.model, [&](const auto& value) { spec.set_model(value); });
  SetIfGiven(options.preset, [&](const auto& value) { spec.set_preset(value); });
  SetIfGiven(options.device, [&](const auto& value) { spec.set_device(value); });
  SetIfGiven(options.alias, [&](const auto& value) { spec.set_alias(value); });
  SetIfGiven(options.decode, [&](const auto& value) { spec.set_decode(value); });
  SetIfGiven(options.precision, [&](const auto& value) { spec.set_precision(value); });
  SetIfGiven(options.epochs, [&](int32_t value) { spec.set_epochs(value); });
  SetIfGiven(options.patience, [&](int32_t value) { spec.set_patience(value); });
  SetIfGiven(options.batch_size, [&](int32_t value) { spec.set_batch_size(value); });
  SetIfGiven(options.learning_rate, [&](double value) { spec.set_learning_rate(value); });
  SetIfGiven(options.weight_decay, [&](double value) { spec.set_weight_decay(value); });
  SetIfGiven(options.priority, [&](const auto& value) { spec.set_priority(value); });
  SetIfGiven(options.solver, [&](const auto& value) { spec.set_solver(value); });
  SetIfGiven(options.l2, [&](double value) { spec.set_l2(value); });
  SetIfGiven(options.trainable, [&](const auto& value) { spec.set_trainable(value); });
  SetIfGiven(options.init_from, [&](const auto& value) { spec.set_init_from(value); });
  SetIfGiven(options.teacher, [&](const auto& value) { spec.set_teacher(value); });
  SetIfGiven(options.augment, [&](const auto& value) { spec.set_augment(value); });
  SetIfGiven(options.views, [&](int32_t value) { spec.set_views(value); });
  SetIfGiven(options.class_weights, [&](const auto& value) { spec.set_class_weights(value); });
  SetIfGiven(options.label_smoothing, [&](double value) { spec.set_label_smoothing(value); });
  SetIfGiven(options.seed, [&](uint32_t value) { spec.set_seed(value); });
  SetIfGiven(options.train_fraction, [&](double value) { spec.set_train_fraction(value); });
  SetIfGiven(options.validation_fraction, [&](double value) { spec.set_validation_fraction(value); });
  SetIfGiven(options.folds, [&](int32_t value) { spec.set_folds(value); });
  SetIfGiven(options.fold, [&](int32_t value) { spec.set_fold(value); });
}

absl::StatusOr<v1::SubmitJobRequest> ToRequest(const TrainOptions& options) {
  v1::SubmitJobRequest request;
  request.set_request_id(options.request_id);
  request.set_validate_only(options.validate_only);
  RETURN_IF_ERROR(ReadSpec(options.spec_file, *request.mutable_spec()));
  SetFlags(options, *request.mutable_spec());
  if (!options.sweep.empty()) request.mutable_spec()->clear_sweep();
  for (const std::string& field : options.sweep) {
    ASSIGN_OR_RETURN(*request.mutable_spec()->add_sweep(), ParseSweep(field));
  }
  if (!options.max_duration.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_spec()->mutable_max_duration(), ParseLimit(options.max_duration));
  }
  return request;
}

void DefineFlags(CLI::App& train, TrainOptions& options) {
  train.add_option("--dataset", options.dataset, "Required: the data set: animals, or animals:2 for a version")
      ->type_name("NAME[:N]");
  train
      .add_option("--backbone", options.backbone,
                  "Required but with --init-from: mobilenet_v2, efficientnet_v2_b0 or resnet50_v2")
      ->type_name("NAME");
  train.add_option("--model", options.model, "Model to publish to [{dataset}-{backbone}]")->type_name("NAME");
  train
      .add_option(
          "--preset", options.preset,
          "Recipe: article (frozen backbone, softmax head, Adam), fast (the same head, solved: L-BFGS), balanced "
          "(then also the backbone's last blocks) or best (then all of it, the longest) [article]")
      ->type_name("NAME");
  train
      .add_option("--spec", options.spec_file,
                  "A TrainSpec as protobuf JSON, for phases of your own; flags win over it. graft -o json train "
                  "--preset balanced --validate-only shows one")
      ->type_name("FILE");
  train
      .add_option("--init-from", options.init_from,
                  "Start from this version instead of the pretrained weights; its classes may differ: animals:3, "
                  "animals@production")
      ->type_name("VERSION");
  train
      .add_option("--solver", options.solver,
                  "Of article's head: adam, or lbfgs (logistic regression to its optimum) [the preset's]")
      ->type_name("NAME");
  train.add_option("--l2", options.l2, "Of lbfgs: penalty on the head's weights [chosen on the validation split]");
  train.add_option("--epochs", options.epochs,
                   "At most this many [article: 10 for mobilenet_v2, else 25]; with balanced and best those of the "
                   "backbone");
  train.add_option("--patience", options.patience,
                   "Stop after this many epochs without a better validation loss [article: 3]");
  train.add_option("--batch-size", options.batch_size, "Photos per step [32]");
  train.add_option("--learning-rate", options.learning_rate,
                   "Of the optimizer [article: 0.001]; with balanced and best that of the backbone's phase");
  train.add_option("--weight-decay", options.weight_decay,
                   "Of article's head, with balanced and best of the backbone's phase: what each step takes off the "
                   "weights, times the learning rate [article: 0]");
  train
      .add_option("--sweep", options.sweep,
                  "With article: train all combinations of these learning rates (lr) and weight decays together and "
                  "publish the best; A/B/C, or LOW:HIGH:COUNT spaced evenly on a logarithmic scale")
      ->delimiter(',')
      ->type_name("lr=...,weight_decay=...");
  train
      .add_option("--trainable", options.trainable,
                  "With balanced and best: blocks:N (the backbone's last N blocks) or all")
      ->type_name("WHAT");
  train
      .add_option("--augment", options.augment,
                  "Of training photos: none, light, medium or strong [balanced: light, best: medium, else none]")
      ->type_name("HOW");
  train.add_option(
      "--views", options.views,
      "Of a head on cached features: views of each training photo, the plain one and augmented copies, that "
      "epochs take in turn [4 with --augment, else 1]");
  train
      .add_option(
          "--teacher", options.teacher,
          "With balanced and best: a version of the same classes, often of a larger backbone, to learn from too")
      ->type_name("VERSION");
  train.add_option("--label-smoothing", options.label_smoothing, "With balanced and best: 0 to 0.9 [0.1]");
  train
      .add_option("--class-weights", options.class_weights,
                  "With balanced and best: none, balanced or effective, for classes of unequal size [none]")
      ->type_name("HOW");
  train.add_option("--seed", options.seed, "Of the split, the head's first values and the order of batches [0]");
  train.add_option("--train-fraction", options.train_fraction, "Share of photos to train on [0.7]");
  train.add_option("--validation-fraction", options.validation_fraction,
                   "Share of photos to stop by [0.15]; the rest is the test split");
  train.add_option("--folds", options.folds, "k-fold cross-validation: how many folds; train once with each --fold");
  train.add_option("--fold", options.fold,
                   "Which fold is the test split, from 1; the others are the train and validation splits");
  train.add_option("--device", options.device, "auto, cpu, cuda:0, ... [auto]")->type_name("DEVICE");
  train
      .add_option("--decode", options.decode,
                  "scaled (large JPEGs are reduced while they are decoded) or full [scaled]")
      ->type_name("HOW");
  train
      .add_option("--precision", options.precision,
                  "f32, bf16 or auto (bf16 where that is faster and validation accuracy does not suffer) [auto]")
      ->type_name("PRECISION");
  train.add_option("--priority", options.priority, "Place in the queue: low, normal or high [normal]")
      ->type_name("PRIORITY");
  train
      .add_option("--max-duration", options.max_duration,
                  "After so much work, e.g. 90s or 1h30m, publish the best epoch so far [no limit]")
      ->type_name("TIME");
  train.add_option("--alias", options.alias, "Point this alias of the model at the new version, e.g. production")
      ->type_name("NAME");
  train.add_option("--request-id", options.request_id, "Repeating the command with the same id finds the same job")
      ->type_name("ID");
  train.add_flag("--validate-only", options.validate_only, "Only check, and show the complete spec");
  train.add_flag("--detach", options.detach, "Print the job and return at once");
}

absl::StatusOr<ExitCode> Follow(Session& session, const std::string& name) {
  JobView view(session.console);
  ASSIGN_OR_RETURN(const ExitCode code,
                   FollowJob(session, name, 0, [&](const v1::JobEvent& event) { view.Show(event); }));
  if (code == ExitCode::kInterrupted && !session.json) return code;
  v1::GetJobRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const v1::Job job, session.client.GetJob(request));
  if (session.json) {
    session.console.Answer(ToJson(job));
  } else if (job.has_result()) {
    session.console.Answer(RenderResult(job.result(), session.console));
  }
  if (job.has_error()) session.console.Error(RenderError(job.error()));
  return code;
}

absl::StatusOr<ExitCode> Train(Session& session, const TrainOptions& options) {
  ASSIGN_OR_RETURN(const v1::SubmitJobRequest request, ToRequest(options));
  ASSIGN_OR_RETURN(const v1::Job job, session.client.SubmitJob(request));
  if (options.validate_only) {
    session.console.Answer(session.json ? ToJson(job)
                                        : absl::StrCat("valid; the job would be\n", RenderSpec(job.spec())));
    return ExitCode::kSuccess;
  }
  if (options.detach) {
    session.console.Answer(session.json ? ToJson(job) : job.name());
    return ExitCode::kSuccess;
  }
  session.console.Say(absl::StrCat(job.name(), ": ", job.spec().backbone(), " on ", ShortName(job.spec().dataset())));
  return Follow(session, job.name());
}

}  // namespace

void AddTrainCommand(CLI::App& app, Command& chosen) {
  CLI::App* train = app.add_subcommand("train", "Fine-tune a backbone on a data set and follow the job");
  const auto options = std::make_shared<TrainOptions>();
  DefineFlags(*train, *options);
  train->footer(kTrainFooter);
  train->callback([&chosen, options] {
    if (options->spec_file.empty() && options->dataset.empty()) throw CLI::RequiredError("--dataset");
    if (options->spec_file.empty() && options->init_from.empty() && options->backbone.empty())
      throw CLI::RequiredError("--backbone");
    chosen = [options](Session& session) { return Train(session, *options); };
  });
}

}  // namespace graft::commands
