#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands/command.h"
#include "client/commands/names.h"
#include "client/terminal/format.h"
#include "client/terminal/table.h"
#include "core/base/status_macros.h"

namespace graft::commands {
namespace {

using terminal::Align;
using terminal::FormatMetric;
using terminal::Table;

constexpr char kAbsent[] = "-";

std::string Seconds(const v1::JobResult& metrics, const std::string& phase) {
  const auto found = metrics.phase_seconds().find(phase);
  return found == metrics.phase_seconds().end() ? kAbsent : terminal::FormatDuration(absl::Seconds(found->second));
}

// The article's table.
std::string RenderTraining(const v1::CompareModelVersionsResponse& response) {
  Table table({{"MODEL"},
               {"BACKBONE"},
               {"PARAMETERS", Align::kRight},
               {"EPOCHS RUN", Align::kRight},
               {"TEST LOSS", Align::kRight},
               {"TEST ACCURACY", Align::kRight},
               {"TRAIN TIME", Align::kRight},
               {"TOTAL TIME", Align::kRight}});
  for (const auto& version : response.versions()) {
    const v1::JobResult& metrics = version.metrics();
    table.AddRow({ShortName(version.name()), version.backbone(), terminal::FormatCount(metrics.parameters()),
                  absl::StrCat(metrics.epochs_run()), FormatMetric(metrics.test_loss()),
                  FormatMetric(metrics.test_accuracy()), Seconds(metrics, "train"), Seconds(metrics, "total")});
  }
  return table.Render();
}

std::string Milliseconds(const google::protobuf::Duration& duration) {
  return absl::StrFormat("%.1fms", duration.seconds() * 1e3 + duration.nanos() * 1e-6);
}

std::string AccuracyInterval(const v1::JobResult& metrics) {
  if (!metrics.has_intervals()) return kAbsent;
  const v1::Interval& interval = metrics.intervals().test_accuracy();
  return absl::StrCat(FormatMetric(interval.low()), " to ", FormatMetric(interval.high()));
}

std::vector<std::string> QualityAndCost(const v1::ModelVersion& version, const v1::VersionCost& cost) {
  const v1::JobResult& metrics = version.metrics();
  return {ShortName(version.name()),
          AccuracyInterval(metrics),
          metrics.has_macro() ? FormatMetric(metrics.macro().f1()) : kAbsent,
          metrics.has_calibration() ? FormatMetric(metrics.calibration().error_after()) : kAbsent,
          terminal::FormatBytes(cost.size_bytes()),
          absl::StrFormat("%.1f M", static_cast<double>(cost.multiply_accumulates()) * 1e-6)};
}

std::string RenderQualityAndCost(const v1::CompareModelVersionsResponse& response) {
  const auto& costs = response.costs();
  const bool measured = std::any_of(costs.begin(), costs.end(), [](const auto& cost) { return cost.has_latency(); });
  std::vector<Table::Column> columns = {{"MODEL"},
                                        {"ACCURACY, 95%", Align::kRight},
                                        {"MACRO F1", Align::kRight},
                                        {"CALIBRATION ERROR", Align::kRight},
                                        {"SIZE", Align::kRight},
                                        {"MULTIPLY-ADDS", Align::kRight}};
  if (measured) columns.insert(columns.end(), {{"BATCH OF 1", Align::kRight}, {"BATCH OF 32", Align::kRight}});
  Table table(std::move(columns));
  for (int i = 0; i < std::min(costs.size(), response.versions_size()); ++i) {
    std::vector<std::string> row = QualityAndCost(response.versions(i), costs[i]);
    if (costs[i].has_latency()) {
      row.push_back(Milliseconds(costs[i].latency().batch_1()));
      row.push_back(Milliseconds(costs[i].latency().batch_32()));
    }
    table.AddRow(std::move(row));
  }
  return table.Render();
}

// The classes that differ most in F1.
std::string RenderClassDifferences(const v1::VersionComparison& comparison) {
  constexpr size_t kMostClasses = 10;
  std::vector<const v1::ClassDifference*> classes;
  for (const auto& difference : comparison.classes()) {
    if (difference.precision() != 0 || difference.recall() != 0) classes.push_back(&difference);
  }
  std::stable_sort(classes.begin(), classes.end(),
                   [](const auto* a, const auto* b) { return std::abs(a->f1()) > std::abs(b->f1()); });
  if (classes.size() > kMostClasses) classes.resize(kMostClasses);
  if (classes.empty()) return "";
  Table table({{"CLASS"}, {"PRECISION", Align::kRight}, {"RECALL", Align::kRight}, {"F1", Align::kRight}});
  for (const auto* difference : classes) {
    table.AddRow({difference->label(), absl::StrFormat("%+.4f", difference->precision()),
                  absl::StrFormat("%+.4f", difference->recall()),
                  difference->has_f1() ? absl::StrFormat("%+.4f", difference->f1()) : kAbsent});
  }
  return table.Render("  ");
}

std::string RenderComparison(const v1::VersionComparison& comparison) {
  std::string text =
      absl::StrCat("\n", ShortName(comparison.version()), " against ", ShortName(comparison.baseline()), ": ");
  if (comparison.has_mcnemar()) {
    const v1::McNemarTest& test = comparison.mcnemar();
    absl::StrAppend(&text, test.only_version_right(), " test photos only the former has right, ",
                    test.only_baseline_right(),
                    " only the latter; McNemar's test p = ", absl::StrFormat("%.3g", test.p_value()),
                    test.exact() ? " (exact)\n" : " (chi-squared)\n");
  } else {
    absl::StrAppend(&text, "no test of their difference: ", terminal::Printable(comparison.mcnemar_missing()), "\n");
  }
  return absl::StrCat(text, RenderClassDifferences(comparison));
}

std::string Render(const v1::CompareModelVersionsResponse& response) {
  std::string text = absl::StrCat(RenderTraining(response), "\n", RenderQualityAndCost(response));
  for (const auto& comparison : response.comparisons()) absl::StrAppend(&text, RenderComparison(comparison));
  return text;
}

}  // namespace

void AddCompareCommand(CLI::App& app, Command& chosen) {
  CLI::App* compare =
      app.add_subcommand("compare", "Put model versions side by side, and the others against the first");
  const auto names = std::make_shared<std::vector<std::string>>();
  const auto request = std::make_shared<v1::CompareModelVersionsRequest>();
  compare->add_option("VERSIONS", *names, "Model versions: animals:1, animals@production, or animals for the latest")
      ->required()
      ->expected(1, -1);
  compare->add_flag_callback(
      "--latency", [request] { request->set_measure_latency(true); },
      "Measure how long the server takes for 1 and for 32 images, some seconds for each version (at most 5)");
  compare->add_flag_callback(
      "--any-split", [request] { request->set_any_test_split(true); },
      "Also compare versions that were tested on different photos, which is refused otherwise");
  compare->footer("Example: graft compare animals-mobilenet-v2:1 animals-efficientnet-v2-b0:1 --latency");
  compare->callback([&chosen, names, request] {
    chosen = [names, request](Session& session) -> absl::StatusOr<ExitCode> {
      for (const std::string& name : *names) request->add_names(name);
      ASSIGN_OR_RETURN(const auto response, session.client.CompareModelVersions(*request));
      session.console.Answer(session.json ? ToJson(response) : Render(response));
      return ExitCode::kSuccess;
    };
  });
}

}  // namespace graft::commands
