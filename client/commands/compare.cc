#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "client/commands/names.h"
#include "client/terminal/format.h"
#include "client/terminal/table.h"
#include "core/base/status_macros.h"

namespace graft::commands {
namespace {

using terminal::Align;

std::string Seconds(const v1::JobResult& metrics, const std::string& phase) {
  const auto found = metrics.phase_seconds().find(phase);
  return found == metrics.phase_seconds().end() ? "-" : terminal::FormatDuration(absl::Seconds(found->second));
}

std::string RenderComparison(const v1::CompareModelVersionsResponse& response) {
  terminal::Table table({{"MODEL"},
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
                  absl::StrCat(metrics.epochs_run()), terminal::FormatMetric(metrics.test_loss()),
                  terminal::FormatMetric(metrics.test_accuracy()), Seconds(metrics, "train"),
                  Seconds(metrics, "total")});
  }
  return table.Render();
}

}  // namespace

void AddCompareCommand(CLI::App& app, Command& chosen) {
  CLI::App* compare = app.add_subcommand("compare", "Put model versions side by side");
  const auto names = std::make_shared<std::vector<std::string>>();
  compare->add_option("VERSIONS", *names, "Model versions: animals:1, animals@production, or animals for the latest")
      ->required()
      ->expected(1, -1);
  compare->footer("Example: graft compare animals-mobilenet-v2:1 animals-efficientnet-v2-b0:1");
  compare->callback([&chosen, names] {
    chosen = [names](Session& session) -> absl::StatusOr<ExitCode> {
      v1::CompareModelVersionsRequest request;
      for (const std::string& name : *names) request.add_names(name);
      ASSIGN_OR_RETURN(const auto response, session.client.CompareModelVersions(request));
      session.console.Answer(session.json ? ToJson(response) : RenderComparison(response));
      return ExitCode::kSuccess;
    };
  });
}

}  // namespace graft::commands
