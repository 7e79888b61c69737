#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "core/base/status_macros.h"

namespace graft::commands {

void AddHealthCommand(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand(
      "health", "Whether the server, one of its services or a model answers calls now: exit code 0, 5 if it does not");
  auto name = std::make_shared<std::string>();
  command->add_option("name", *name, "A model (animals@production) or a service; neither: the server");
  command->callback([&chosen, name] {
    chosen = [name](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const grpc::health::v1::HealthCheckResponse health, session.client.CheckHealth(*name));
      const std::string status = grpc::health::v1::HealthCheckResponse::ServingStatus_Name(health.status());
      session.console.Answer(session.json ? ToJson(health) : absl::StrCat(status, "\n"));
      return health.status() == grpc::health::v1::HealthCheckResponse::SERVING ? ExitCode::kSuccess
                                                                               : ExitCode::kUnavailable;
    };
  });
}

}  // namespace graft::commands
