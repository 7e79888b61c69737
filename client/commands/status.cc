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
using terminal::FormatCount;

// The source's file; its digest follows and is too long for a table.
std::string FirstWord(const std::string& text) {
  return text.substr(0, text.find(' '));
}

std::string RenderInfo(const v1::ServerInfo& info, const terminal::Console& console) {
  std::string text = absl::StrCat(console.Bold("graft-server "), info.version(), ", since ",
                                  terminal::FormatTime(ToTime(info.start_time())), "\n", info.datasets(),
                                  " data sets, ", info.models(), " models with ", info.model_versions(), " versions, ",
                                  info.loaded_trunks(), " networks in memory\n");
  for (const auto& [state, jobs] : info.jobs_by_state()) absl::StrAppend(&text, "  jobs ", state, ": ", jobs, "\n");

  terminal::Table devices({{"DEVICE"}, {"WORKER"}, {"CORES", Align::kRight}});
  for (const auto& device : info.devices()) {
    devices.AddRow({device.name(), device.worker_state(), absl::StrCat(device.cores())});
  }
  terminal::Table backbones({{"BACKBONE"}, {"PARAMETERS", Align::kRight}, {"INPUT", Align::kRight}, {"WEIGHTS"}});
  for (const auto& backbone : info.backbones()) {
    const std::string weights =
        backbone.weights_sha256().empty()
            ? "not imported (graft-weights import)"
            : absl::StrCat(backbone.weights_sha256().substr(0, 12), " ", FirstWord(backbone.weights_source()));
    backbones.AddRow({backbone.name(), FormatCount(backbone.parameters()),
                      absl::StrCat(backbone.input_size(), "x", backbone.input_size()), weights});
  }
  terminal::Table libraries({{"LIBRARY"}, {"VERSION"}});
  for (const auto& [library, version] : info.library_versions()) libraries.AddRow({library, version});
  absl::StrAppend(&text, "\n", devices.Render(), "\n", backbones.Render(), "\n", libraries.Render());
  return text;
}

}  // namespace

void AddStatusCommand(CLI::App& app, Command& chosen) {
  CLI::App* status = app.add_subcommand("status", "Show the server: version, devices, backbones, jobs");
  status->callback([&chosen] {
    chosen = [](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const v1::ServerInfo info, session.client.GetServerInfo());
      session.console.Answer(session.json ? ToJson(info) : RenderInfo(info, session.console));
      return ExitCode::kSuccess;
    };
  });
}

}  // namespace graft::commands
