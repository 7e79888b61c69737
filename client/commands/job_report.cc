#include "client/commands/job_report.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "client/commands/names.h"
#include "client/terminal/format.h"
#include "client/terminal/table.h"

namespace graft::commands {
namespace {

using terminal::Align;
using terminal::FormatMetric;
using terminal::Printable;
using terminal::Table;

// What an optional metric shows where it is not set.
std::string MetricOr(bool present, double value) {
  return present ? FormatMetric(value) : "-";
}

// "0.9700 (95%: 0.9421 to 0.9894)"
std::string WithInterval(double value, bool present, const v1::Interval& interval) {
  if (!present) return FormatMetric(value);
  return absl::StrCat(FormatMetric(value), " (95%: ", FormatMetric(interval.low()), " to ",
                      FormatMetric(interval.high()), ")");
}

void AddAverage(const std::string& name, const v1::AverageMetrics& average, Table& table) {
  table.AddRow({name, FormatMetric(average.precision()), FormatMetric(average.recall()), FormatMetric(average.f1()),
                MetricOr(average.has_roc_auc(), average.roc_auc())});
}

// Those of a long list that need attention, and how many are left out.
std::vector<const v1::ClassMetrics*> ShownClasses(const v1::JobResult& result) {
  constexpr size_t kMostClasses = 50, kWorstClasses = 20;
  std::vector<const v1::ClassMetrics*> classes;
  for (const auto& metrics : result.classes()) classes.push_back(&metrics);
  if (classes.size() <= kMostClasses) return classes;
  std::stable_sort(classes.begin(), classes.end(), [](const auto* a, const auto* b) { return a->f1() < b->f1(); });
  classes.resize(kWorstClasses);
  return classes;
}

std::string RenderClasses(const v1::JobResult& result) {
  Table table({{"CLASS"},
               {"PRECISION", Align::kRight},
               {"RECALL", Align::kRight},
               {"F1", Align::kRight},
               {"ROC-AUC", Align::kRight},
               {"TEST IMAGES", Align::kRight}});
  const auto shown = ShownClasses(result);
  for (const v1::ClassMetrics* metrics : shown) {
    table.AddRow({metrics->label(), FormatMetric(metrics->precision()), FormatMetric(metrics->recall()),
                  MetricOr(metrics->has_f1(), metrics->f1()), MetricOr(metrics->has_roc_auc(), metrics->roc_auc()),
                  absl::StrCat(metrics->images())});
  }
  if (result.has_macro()) AddAverage("(macro average)", result.macro(), table);
  if (result.has_weighted()) AddAverage("(weighted average)", result.weighted(), table);
  const int left_out = result.classes_size() - static_cast<int>(shown.size());
  const std::string note =
      left_out == 0 ? "" : absl::StrCat("  (the classes of lowest F1; ", left_out, " more with -o json)\n");
  return absl::StrCat(table.Render("  "), note);
}

bool IsWithin(const v1::ConfusionMatrix::Cell& cell, int classes) {
  return std::min(cell.actual(), cell.predicted()) >= 0 && std::max(cell.actual(), cell.predicted()) < classes;
}

// The pairs that were mistaken most often, for more classes than a matrix has room for.
std::string RenderConfusedPairs(const v1::ConfusionMatrix& matrix) {
  constexpr size_t kMostPairs = 10;
  std::vector<const v1::ConfusionMatrix::Cell*> pairs;
  for (const auto& cell : matrix.cells()) {
    if (IsWithin(cell, matrix.labels_size()) && cell.actual() != cell.predicted()) pairs.push_back(&cell);
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto* a, const auto* b) { return a->images() > b->images(); });
  if (pairs.size() > kMostPairs) pairs.resize(kMostPairs);
  if (pairs.empty()) return "";
  Table table({{"MOST CONFUSED: ACTUAL"}, {"PREDICTED"}, {"TEST IMAGES", Align::kRight}});
  for (const auto* cell : pairs) {
    table.AddRow({matrix.labels(cell->actual()), matrix.labels(cell->predicted()), absl::StrCat(cell->images())});
  }
  return absl::StrCat("\n", table.Render("  "));
}

std::string RenderConfusion(const v1::ConfusionMatrix& matrix) {
  const int classes = matrix.labels_size();
  constexpr int kMostClasses = 20;  // a wider table helps nobody; `-o json` has it all
  if (classes > kMostClasses) return RenderConfusedPairs(matrix);
  if (classes == 0) return "";
  std::vector<Table::Column> columns = {{"ACTUAL \\ PREDICTED"}};
  std::vector<std::vector<std::string>> rows;
  for (const auto& label : matrix.labels()) {
    columns.push_back({Printable(label), Align::kRight});
    rows.emplace_back(classes + 1, "0").front() = label;
  }
  for (const auto& cell : matrix.cells()) {
    if (IsWithin(cell, classes)) rows[cell.actual()][cell.predicted() + 1] = absl::StrCat(cell.images());
  }
  Table table(std::move(columns));
  for (std::vector<std::string>& row : rows) table.AddRow(std::move(row));
  return absl::StrCat("\n", table.Render("  "));
}

std::string RenderStopReason(const std::string& reason) {
  return reason.empty() ? "" : absl::StrCat(", ", absl::StrReplaceAll(Printable(reason), {{"_", " "}}));
}

// "  macro F1 0.9500 (...), ..." and what temperature scaling does; empty for results older than that.
std::string RenderQuality(const v1::JobResult& result) {
  std::string text;
  if (result.has_macro()) {
    absl::StrAppend(&text, "  macro F1 ",
                    WithInterval(result.macro().f1(), result.has_intervals(), result.intervals().macro_f1()), "\n");
  }
  if (result.has_calibration()) {
    const v1::Calibration& calibration = result.calibration();
    absl::StrAppend(&text, "  calibration error ", FormatMetric(calibration.error_before()), ", with temperature ",
                    FormatMetric(calibration.temperature()), " ", FormatMetric(calibration.error_after()),
                    " (test loss ", FormatMetric(calibration.test_loss()), ")\n");
  }
  return text;
}

std::string RenderPhases(const v1::JobResult& result) {
  constexpr std::array<const char*, 5> kOrder = {"prepare", "train", "evaluate", "publish", "total"};
  std::string text = "\n  time:";
  const char* separator = " ";
  for (const char* phase : kOrder) {
    const auto found = result.phase_seconds().find(phase);
    if (found == result.phase_seconds().end()) continue;
    absl::StrAppend(&text, separator, phase, " ", terminal::FormatDuration(absl::Seconds(found->second)));
    separator = ", ";
  }
  return absl::StrCat(text, "\n");
}

void AppendField(std::string& text, absl::string_view name, absl::string_view value) {
  if (!value.empty()) absl::StrAppend(&text, "  ", name, ": ", Printable(value), "\n");
}

std::string RenderProgressOf(const v1::Job& job) {
  const v1::JobProgress& progress = job.progress();
  if (job.state() == v1::JOB_STATE_PREPARING && progress.images_total() > 0) {
    return absl::StrCat(progress.images_done(), "/", progress.images_total(), " images");
  }
  if (progress.epochs() > 0) return absl::StrCat(progress.epoch(), "/", progress.epochs(), " epochs");
  if (progress.trials() > 0) return absl::StrCat(progress.trial(), " of at most ", progress.trials(), " trials");
  return "";
}

// "best epoch 7 of 10 run", "l2 0.1, the best of 9 tried", "lr 0.01, weight decay 0, the best of 64 tried"
std::string RenderChoice(const v1::JobResult& result) {
  for (const v1::Trial& trial : result.trials()) {
    if (!trial.best() || result.best_epoch() > 0) continue;  // phases on photos made a better one
    const std::string setting = RenderSetting(trial);
    return result.trials_size() == 1 ? setting
                                     : absl::StrCat(setting, ", the best of ", result.trials_size(), " tried");
  }
  return absl::StrCat("best epoch ", result.best_epoch(), " of ", result.epochs_run(), " run");
}

// What a job tried, by what it came to; empty where nothing was chosen.
std::string RenderTrials(const v1::JobResult& result) {
  constexpr size_t kMostTrials = 10;
  std::vector<const v1::Trial*> trials;
  for (const v1::Trial& trial : result.trials()) trials.push_back(&trial);
  if (trials.size() < 2) return "";
  std::stable_sort(trials.begin(), trials.end(),
                   [](const auto* a, const auto* b) { return a->validation_loss() < b->validation_loss(); });
  const size_t left_out = trials.size() - std::min(trials.size(), kMostTrials);
  trials.resize(trials.size() - left_out);
  Table table({{"TRIAL", Align::kRight},
               {"SETTING"},
               {"RAN", Align::kRight},
               {"LOSS", Align::kRight},
               {"VAL LOSS", Align::kRight},
               {"VAL ACC", Align::kRight}});
  for (const v1::Trial* trial : trials) {
    table.AddRow({absl::StrCat(trial->number()), RenderSetting(*trial), RenderEffort(*trial),
                  FormatMetric(trial->train_loss()), FormatMetric(trial->validation_loss()),
                  FormatMetric(trial->validation_accuracy())});
  }
  return absl::StrCat("\n", table.Render("  "),
                      left_out > 0 ? absl::StrCat("  and ", left_out, " with a higher validation loss\n") : "");
}

// Why the head alone was published.
std::string RenderDiscarded(const v1::JobResult& result) {
  if (!result.has_discarded_validation_accuracy()) return "";
  return absl::StrCat("  the head alone: the phases on photos ended below it, at a validation accuracy of ",
                      FormatMetric(result.discarded_validation_accuracy()), "\n");
}

// Which step of computing features is the narrow one.
std::string RenderRates(const v1::JobResult& result) {
  if (result.loader_images_per_second() == 0) return "";
  return absl::StrFormat(" (decoding alone %.0f images/s, forward passes alone %.0f images/s)",
                         result.loader_images_per_second(), result.engine_images_per_second());
}

}  // namespace

std::string RenderSetting(const v1::Trial& trial) {
  if (trial.has_l2()) return absl::StrFormat("l2 %.3g", trial.l2());
  return absl::StrFormat("lr %.3g, weight decay %.3g", trial.learning_rate(), trial.weight_decay());
}

std::string RenderEffort(const v1::Trial& trial) {
  return trial.has_l2() ? absl::StrCat(trial.iterations(), " iterations") : absl::StrCat(trial.epochs(), " epochs");
}

std::string RenderError(const v1::JobError& error) {
  const std::string type =
      absl::AsciiStrToLower(absl::StripPrefix(v1::JobErrorType_Name(error.type()), "JOB_ERROR_TYPE_"));
  return absl::StrCat(type.empty() ? "unknown" : type, " error: ", Printable(error.message()));
}

std::string RenderPrecision(const v1::PrecisionReport& report) {
  std::string text = absl::StrCat("precision: ", Printable(report.precision()));
  if (report.images() == 0) return text;
  absl::StrAppend(&text, " (on ", report.images(), " validation photos: ");
  const char* separator = "";
  const auto append = [&](absl::string_view name, double value) {
    absl::StrAppend(&text, separator, name, " ", FormatMetric(value));
    separator = ", ";
  };
  if (report.has_accuracy_f32()) append("accuracy f32", report.accuracy_f32());
  if (report.has_accuracy_bf16()) append("accuracy bf16", report.accuracy_bf16());
  if (report.has_agreement()) append("agreement", report.agreement());
  return absl::StrCat(text, ")");
}

std::string RenderResult(const v1::JobResult& result, const terminal::Console& console) {
  const std::string version = ShortName(result.model_version());
  const v1::Intervals& intervals = result.intervals();
  return absl::StrCat(
      console.Bold(absl::StrCat(
          "test accuracy ", WithInterval(result.test_accuracy(), result.has_intervals(), intervals.test_accuracy()),
          ", test loss ", WithInterval(result.test_loss(), result.has_intervals(), intervals.test_loss()))),
      "\n  ", RenderChoice(result), " (validation accuracy ", FormatMetric(result.validation_accuracy()), ", loss ",
      FormatMetric(result.validation_loss()), ")", RenderStopReason(result.stop_reason()), "\n",
      RenderDiscarded(result), RenderQuality(result), "\n", RenderClasses(result),
      RenderConfusion(result.confusion_matrix()), RenderTrials(result), RenderPhases(result),
      "  features: ", result.images_computed(), " computed, ", result.images_from_cache(), " from cache",
      RenderRates(result), "\n  parameters: ", terminal::FormatCount(result.parameters()), " (",
      terminal::FormatCount(result.trainable_parameters()), " trained)\n",
      result.has_precision() ? absl::StrCat("  ", RenderPrecision(result.precision()), "\n") : "", "\npublished ",
      console.Bold(version), "; classify with it:\n  graft classify ", version, " photo.jpg\n");
}

namespace {

// "blocks:8, 10 epochs, adam, cosine, learning rate 0.0001, ..."; zeroes and what a head lacks are left out.
std::string RenderPhase(const v1::TrainSpec::Phase& phase) {
  std::string text = phase.trainable();
  const auto append = [&text](absl::string_view name, double value) {
    if (value != 0) absl::StrAppend(&text, ", ", name, " ", value);
  };
  if (phase.has_epochs()) absl::StrAppend(&text, ", ", phase.epochs(), " epochs");
  for (const std::string& word : {phase.optimizer(), phase.schedule()}) {
    if (!word.empty()) absl::StrAppend(&text, ", ", word);
  }
  append("learning rate", phase.learning_rate());
  append("batch size", phase.batch_size());
  append("patience", phase.patience());
  if (phase.accumulation() > 1) append("accumulation", phase.accumulation());
  if (phase.layer_decay() < 1) append("layer decay", phase.layer_decay());
  append("weight decay", phase.weight_decay());
  append("clip norm", phase.clip_norm());
  append("warm-up epochs", phase.warmup_epochs());
  if (!phase.batch_norm().empty()) absl::StrAppend(&text, ", batch norm ", phase.batch_norm());
  return text;
}

std::string RenderFineTuning(const v1::TrainSpec& spec) {
  std::string text;
  for (int i = 0; i < spec.phases_size(); ++i) {
    AppendField(text, absl::StrCat("phase ", i + 1), RenderPhase(spec.phases(i)));
  }
  AppendField(text, "augmentation", spec.augment());
  if (spec.has_views()) AppendField(text, "views", absl::StrCat(spec.views()));
  AppendField(text, "class weights", spec.class_weights());
  const auto append = [&text](absl::string_view name, double value) {
    if (value != 0) AppendField(text, name, absl::StrCat(value));
  };
  append("label smoothing", spec.label_smoothing());
  if (!spec.teacher().empty()) {
    AppendField(text, "teacher",
                absl::StrCat(ShortName(spec.teacher()), ", weight ", spec.distillation_weight(), ", temperature ",
                             spec.distillation_temperature()));
  }
  append("focal gamma", spec.focal_gamma());
  append("mixup alpha", spec.mixup_alpha());
  append("cutmix alpha", spec.cutmix_alpha());
  append("weight average decay", spec.ema_decay());
  return text;
}

}  // namespace

std::string RenderSpec(const v1::TrainSpec& spec) {
  std::string text;
  AppendField(text, "dataset", spec.dataset());
  AppendField(text, "backbone", spec.backbone());
  AppendField(text, "model", spec.model());
  AppendField(text, "preset", spec.preset());
  if (!spec.init_from().empty()) AppendField(text, "starts from", ShortName(spec.init_from()));
  absl::StrAppend(&text, RenderFineTuning(spec));
  AppendField(text, "solver", spec.solver());
  if (spec.has_epochs()) AppendField(text, "epochs", absl::StrCat(spec.epochs()));
  if (spec.has_patience()) AppendField(text, "patience", absl::StrCat(spec.patience()));
  if (spec.has_batch_size()) AppendField(text, "batch size", absl::StrCat(spec.batch_size()));
  if (spec.has_learning_rate()) AppendField(text, "learning rate", absl::StrCat(spec.learning_rate()));
  if (spec.weight_decay() != 0) AppendField(text, "weight decay", absl::StrCat(spec.weight_decay()));
  for (const v1::SweptField& swept : spec.sweep()) {
    AppendField(text, "sweep", absl::StrCat(swept.field(), " ", absl::StrJoin(swept.values(), ", ")));
  }
  if (spec.has_l2()) AppendField(text, "l2", absl::StrCat(spec.l2()));
  if (spec.has_seed()) AppendField(text, "seed", absl::StrCat(spec.seed()));
  if (spec.has_train_fraction()) AppendField(text, "train fraction", absl::StrCat(spec.train_fraction()));
  if (spec.has_validation_fraction()) {
    AppendField(text, "validation fraction", absl::StrCat(spec.validation_fraction()));
  }
  if (spec.has_folds()) AppendField(text, "test fold", absl::StrCat(spec.fold(), " of ", spec.folds()));
  AppendField(text, "device", spec.device());
  AppendField(text, "decode", spec.decode());
  AppendField(text, "precision", spec.precision());
  AppendField(text, "priority", spec.priority());
  if (spec.has_max_duration()) {
    AppendField(text, "time limit", terminal::FormatDuration(ToDuration(spec.max_duration())));
  }
  AppendField(text, "alias", spec.alias());
  return text;
}

std::string RenderOutlook(const v1::Job& job) {
  std::vector<std::string> parts;
  if (!job.waiting_reason().empty()) parts.push_back(Printable(job.waiting_reason()));
  const auto append = [&parts](absl::string_view what, const google::protobuf::Timestamp& time) {
    const absl::Duration left = std::max(absl::ZeroDuration(), ToTime(time) - absl::Now());
    parts.push_back(absl::StrCat(what, " in ", terminal::FormatDuration(left)));
  };
  if (job.has_predicted_start_time()) append("starts", job.predicted_start_time());
  if (job.has_predicted_end_time()) append("ends", job.predicted_end_time());
  return absl::StrJoin(parts, ", ");
}

std::string RenderJob(const v1::Job& job, const terminal::Console& console) {
  std::string text = absl::StrCat(console.Bold(job.name()), " ", StateWord(job.state()), "\n");
  absl::StrAppend(&text, RenderSpec(job.has_spec() ? job.spec() : job.requested_spec()));
  AppendField(text, "progress", RenderProgressOf(job));
  if (job.state() == v1::JOB_STATE_QUEUED) AppendField(text, "queue position", absl::StrCat(job.queue_position()));
  AppendField(text, "outlook", RenderOutlook(job));
  AppendField(text, "created", terminal::FormatTime(ToTime(job.create_time())));
  if (job.has_start_time()) AppendField(text, "started", terminal::FormatTime(ToTime(job.start_time())));
  if (job.has_end_time()) AppendField(text, "ended", terminal::FormatTime(ToTime(job.end_time())));
  if (job.attempt() > 1) AppendField(text, "attempts", absl::StrCat(job.attempt()));
  if (job.worker_deaths() > 0) AppendField(text, "of which workers died", absl::StrCat(job.worker_deaths()));
  if (job.has_error()) absl::StrAppend(&text, "  ", console.Red(RenderError(job.error())), "\n");
  if (job.has_result()) absl::StrAppend(&text, "\n", RenderResult(job.result(), console));
  return text;
}

}  // namespace graft::commands
