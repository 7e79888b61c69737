#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
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

std::string IdleIn(const v1::DeviceInfo& device) {
  if (device.running_job().empty() && device.queued_jobs() == 0) return "now";
  if (!device.has_predicted_idle_time()) return "not known";
  const absl::Duration left = ToTime(device.predicted_idle_time()) - absl::Now();
  return absl::StrCat("in ", terminal::FormatDuration(std::max(absl::ZeroDuration(), left)));
}

std::string RenderInfo(const v1::ServerInfo& info, const terminal::Console& console) {
  std::string text = absl::StrCat(console.Bold("graft-server "), info.version(), ", since ",
                                  terminal::FormatTime(ToTime(info.start_time())), "\n", info.datasets(),
                                  " data sets, ", info.models(), " models with ", info.model_versions(), " versions, ",
                                  info.loaded_trunks(), " networks in memory\n");
  for (const auto& [state, jobs] : info.jobs_by_state()) absl::StrAppend(&text, "  jobs ", state, ": ", jobs, "\n");

  terminal::Table devices(
      {{"DEVICE"}, {"WORKER"}, {"CORES", Align::kRight}, {"JOB"}, {"QUEUED", Align::kRight}, {"IDLE"}});
  for (const auto& device : info.devices()) {
    devices.AddRow({device.name(), device.worker_state(), absl::StrCat(device.cores()), ShortName(device.running_job()),
                    absl::StrCat(device.queued_jobs()), IdleIn(device)});
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
