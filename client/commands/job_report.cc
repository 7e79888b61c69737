#include "client/commands/job_report.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
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

std::string RenderClasses(const v1::JobResult& result) {
  Table table({{"CLASS"}, {"PRECISION", Align::kRight}, {"RECALL", Align::kRight}, {"TEST IMAGES", Align::kRight}});
  for (const auto& metrics : result.classes()) {
    table.AddRow({metrics.label(), FormatMetric(metrics.precision()), FormatMetric(metrics.recall()),
                  absl::StrCat(metrics.images())});
  }
  return table.Render("  ");
}

std::string RenderConfusion(const v1::ConfusionMatrix& matrix) {
  const int classes = matrix.labels_size();
  constexpr int kMostClasses = 20;  // a wider table helps nobody; `-o json` has it all
  if (classes == 0 || classes > kMostClasses || matrix.counts_size() != classes * classes) return "";
  std::vector<Table::Column> columns = {{"ACTUAL \\ PREDICTED"}};
  for (const auto& label : matrix.labels()) columns.push_back({Printable(label), Align::kRight});
  Table table(std::move(columns));
  for (int actual = 0; actual < classes; ++actual) {
    std::vector<std::string> row = {matrix.labels(actual)};
    for (int predicted = 0; predicted < classes; ++predicted) {
      row.push_back(absl::StrCat(matrix.counts(actual * classes + predicted)));
    }
    table.AddRow(std::move(row));
  }
  return absl::StrCat("\n", table.Render("  "));
}

std::string RenderStopReason(const std::string& reason) {
  return reason.empty() ? "" : absl::StrCat(", ", absl::StrReplaceAll(Printable(reason), {{"_", " "}}));
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
  return "";
}

}  // namespace

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
  return absl::StrCat(
      console.Bold(absl::StrCat("test accuracy ", FormatMetric(result.test_accuracy()), ", test loss ",
                                FormatMetric(result.test_loss()))),
      "\n  best epoch ", result.best_epoch(), " of ", result.epochs_run(), " run (validation accuracy ",
      FormatMetric(result.validation_accuracy()), ", loss ", FormatMetric(result.validation_loss()), ")",
      RenderStopReason(result.stop_reason()), "\n\n", RenderClasses(result), RenderConfusion(result.confusion_matrix()),
      RenderPhases(result), "  features: ", result.images_computed(), " computed, ", result.images_from_cache(),
      " from cache\n  parameters: ", terminal::FormatCount(result.parameters()), " (",
      terminal::FormatCount(result.trainable_parameters()), " trained)\n",
      result.has_precision() ? absl::StrCat("  ", RenderPrecision(result.precision()), "\n") : "", "\npublished ",
      console.Bold(version), "; classify with it:\n  graft classify ", version, " photo.jpg\n");
}

std::string RenderSpec(const v1::TrainSpec& spec) {
  std::string text;
  AppendField(text, "dataset", spec.dataset());
  AppendField(text, "backbone", spec.backbone());
  AppendField(text, "model", spec.model());
  AppendField(text, "preset", spec.preset());
  if (spec.has_epochs()) AppendField(text, "epochs", absl::StrCat(spec.epochs()));
  if (spec.has_patience()) AppendField(text, "patience", absl::StrCat(spec.patience()));
  if (spec.has_batch_size()) AppendField(text, "batch size", absl::StrCat(spec.batch_size()));
  if (spec.has_learning_rate()) AppendField(text, "learning rate", absl::StrCat(spec.learning_rate()));
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
