// What a command gets to work with, and how it enters the command line.
#pragma once

#include <functional>
#include <istream>
#include <string>

#include "absl/status/statusor.h"
#include "client/api/graft_client.h"
#include "client/commands/exit_code.h"
#include "client/commands/json.h"
#include "client/terminal/console.h"

namespace CLI {
class App;
}

namespace graft::commands {

struct Session {
  client::GraftClient& client;
  terminal::Console& console;
  std::istream& in;
  bool json = false;  // -o json: answers as protobuf JSON, one object per line
  bool csv = false;   // -o csv, for those that have it (classify)
};

// An error is printed as "graft: ..." and becomes the exit code that fits it.
using Command = std::function<absl::StatusOr<ExitCode>(Session&)>;

// Each adds its subcommand(s) to `app`; the one on the command line stores itself in `chosen`, which outlives `app`.
void AddDatasetCommands(CLI::App& app, Command& chosen);
void AddTrainCommand(CLI::App& app, Command& chosen);
void AddJobCommands(CLI::App& app, Command& chosen);
void AddModelCommands(CLI::App& app, Command& chosen);
void AddClassifyCommand(CLI::App& app, Command& chosen);
void AddCompareCommand(CLI::App& app, Command& chosen);
void AddStatusCommand(CLI::App& app, Command& chosen);
void AddHealthCommand(CLI::App& app, Command& chosen);

}  // namespace graft::commands
