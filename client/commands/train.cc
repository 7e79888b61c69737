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
#include "core/base/errors.h"
#include "core/base/status_macros.h"

namespace graft::commands {
namespace {

constexpr char kFooter[] =
    R"(What is not given comes from the preset; --validate-only shows what that is. Ctrl-C stops watching, not the job.

Examples:
  graft train --dataset animals --backbone mobilenet_v2
  graft train --dataset animals --backbone mobilenet_v2 --preset fast
  graft train --dataset animals:2 --backbone efficientnet_v2_b0 --model animals --epochs 25 --alias production
  graft -o json train --dataset animals --backbone mobilenet_v2 | jq .result.testAccuracy)";

struct TrainOptions {
  std::string dataset, backbone, model, preset, device, alias, decode, precision, priority, max_duration, solver,
      request_id;
  std::optional<int32_t> epochs, patience, batch_size;
  std::optional<double> learning_rate, l2, train_fraction, validation_fraction;
  std::optional<uint32_t> seed;
  std::optional<int32_t> folds, fold;
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

absl::StatusOr<v1::SubmitJobRequest> ToRequest(const TrainOptions& options) {
  v1::SubmitJobRequest request;
  request.set_request_id(options.request_id);
  request.set_validate_only(options.validate_only);
  v1::TrainSpec& spec = *request.mutable_spec();
  spec.set_dataset(options.dataset);
  spec.set_backbone(options.backbone);
  spec.set_model(options.model);
  spec.set_preset(options.preset);
  spec.set_device(options.device);
  spec.set_alias(options.alias);
  spec.set_decode(options.decode);
  spec.set_precision(options.precision);
  spec.set_priority(options.priority);
  if (!options.max_duration.empty()) {
    ASSIGN_OR_RETURN(*spec.mutable_max_duration(), ParseLimit(options.max_duration));
  }
  spec.set_solver(options.solver);
  if (options.epochs) spec.set_epochs(*options.epochs);
  if (options.patience) spec.set_patience(*options.patience);
  if (options.batch_size) spec.set_batch_size(*options.batch_size);
  if (options.learning_rate) spec.set_learning_rate(*options.learning_rate);
  if (options.l2) spec.set_l2(*options.l2);
  if (options.seed) spec.set_seed(*options.seed);
  if (options.train_fraction) spec.set_train_fraction(*options.train_fraction);
  if (options.validation_fraction) spec.set_validation_fraction(*options.validation_fraction);
  if (options.folds) spec.set_folds(*options.folds);
  if (options.fold) spec.set_fold(*options.fold);
  return request;
}

void DefineFlags(CLI::App& train, TrainOptions& options) {
  train.add_option("--dataset", options.dataset, "Data set: animals, or animals:2 for a version")
      ->required()
      ->type_name("NAME[:N]");
  train.add_option("--backbone", options.backbone, "mobilenet_v2, efficientnet_v2_b0 or resnet50_v2")
      ->required()
      ->type_name("NAME");
  train.add_option("--model", options.model, "Model to publish to [{dataset}-{backbone}]")->type_name("NAME");
  train
      .add_option(
          "--preset", options.preset,
          "Recipe: article (frozen backbone, softmax head, Adam) or fast (the same head, solved: L-BFGS) [article]")
      ->type_name("NAME");
  train
      .add_option("--solver", options.solver,
                  "Of the head: adam, or lbfgs (logistic regression to its optimum) [the preset's]")
      ->type_name("NAME");
  train.add_option("--l2", options.l2, "Of lbfgs: penalty on the head's weights [chosen on the validation split]");
  train.add_option("--epochs", options.epochs, "Of adam: at most this many [10 for mobilenet_v2, else 25]");
  train.add_option("--patience", options.patience, "Of adam: stop after this many epochs without a better loss [3]");
  train.add_option("--batch-size", options.batch_size, "Of adam: photos per step [32]");
  train.add_option("--learning-rate", options.learning_rate, "Of adam [0.001]");
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
                  "f32, bf16 or auto (bf16 where the device has it and validation accuracy does not suffer) [auto]")
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
  train->footer(kFooter);
  train->callback([&chosen, options] { chosen = [options](Session& session) { return Train(session, *options); }; });
}

}  // namespace graft::commands
