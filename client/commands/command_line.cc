#include "client/commands/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "client/api/channel.h"
#include "client/commands/command.h"
#include "client/terminal/format.h"

namespace graft::commands {
namespace {

constexpr char kVersion[] = "graft 0.1.0";
constexpr char kDefaultServer[] = "127.0.0.1:50051";

constexpr char kFooter[] = R"(Examples:
  graft dataset push animals ./photos        one folder per class
  graft train --dataset animals --backbone mobilenet_v2 --model animals
  graft classify animals photo.jpg
  graft compare animals:1 animals:2

Settings, later ones win: defaults, the configuration file, GRAFT_SERVER, flags.
The configuration file is TOML; a subcommand's flags go into its section:
  server = "graft.example.org:50051"
  [train]
  epochs = 25

Exit codes: 0 success, 1 failed, 2 wrong usage, 3 cancelled, 4 unauthenticated or denied, 5 server unavailable,
6 not found, 130 stopped by Ctrl-C (a job goes on without its watcher).)";

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string DefaultConfigFile() {
  const std::string configured = Environment("XDG_CONFIG_HOME");
  if (!configured.empty()) return configured + "/graft/config.toml";
  const std::string home = Environment("HOME");
  return home.empty() ? "" : home + "/.config/graft/config.toml";
}

// CLI11 lets the file win over the environment, so the variable goes in as a flag before the real ones: the file only
// fills what no flag has set, and the last flag wins.
std::vector<std::string> WithEnvironment(const std::vector<std::string>& arguments) {
  const std::string server = Environment("GRAFT_SERVER");
  if (server.empty()) return arguments;
  std::vector<std::string> result = {"--server=" + server};
  result.insert(result.end(), arguments.begin(), arguments.end());
  return result;
}

struct GlobalOptions {
  std::string server = kDefaultServer;
  std::string output = "table";
};

void Define(CLI::App& app, GlobalOptions& options, Command& chosen) {
  app.require_subcommand(1);
  app.fallthrough();  // global flags may stand behind the subcommand
  app.footer(kFooter);
  app.set_version_flag("--version", kVersion);
  app.set_config("--config", DefaultConfigFile(), "Configuration file")->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--server", options.server, "Address of graft-server [GRAFT_SERVER]")
      ->type_name("HOST:PORT")
      ->capture_default_str()
      ->take_last();
  app.add_option("-o,--output", options.output,
                 "table; json: the answer as protobuf JSON, alone on stdout; csv: for classify")
      ->check(CLI::IsMember({"table", "json", "csv"}))
      ->capture_default_str()
      ->take_last();
  AddDatasetCommands(app, chosen);
  AddTrainCommand(app, chosen);
  AddJobCommands(app, chosen);
  AddModelCommands(app, chosen);
  AddClassifyCommand(app, chosen);
  AddCompareCommand(app, chosen);
  AddStatusCommand(app, chosen);
}

// --help and --version end up here too, with code 0.
int ReportParseEnd(const CLI::App& app, const CLI::ParseError& error, const ProgramStreams& streams) {
  if (error.get_exit_code() == 0) return app.exit(error, streams.out, streams.err);
  streams.err << "graft: " << error.what() << "\nRun with --help for more information." << std::endl;
  return static_cast<int>(ExitCode::kUsage);
}

void ReportError(const absl::Status& status, const std::string& server, terminal::Console& console) {
  console.Error(status.message().empty() ? absl::StatusCodeToString(status.code())
                                         : terminal::Printable(status.message()));
  if (status.code() == absl::StatusCode::kUnavailable) {
    console.Error(absl::StrCat("is graft-server running at ", server, "?"));
  }
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& arguments, const ProgramStreams& streams) {
  CLI::App app("Fine-tune image classifiers on your photos and classify with them.", "graft");
  GlobalOptions options;
  Command chosen;
  Define(app, options, chosen);
  try {
    std::vector<std::string> reversed = WithEnvironment(arguments);
    std::reverse(reversed.begin(), reversed.end());  // as CLI11 wants them
    app.parse(std::move(reversed));
    if (options.output == "csv" && !app.got_subcommand("classify")) {
      throw CLI::ValidationError("--output", "csv is for classify; use table or json");
    }
  } catch (const CLI::ParseError& error) {
    return ReportParseEnd(app, error, streams);
  }

  terminal::Console console(streams.out, streams.err, streams.console);
  client::GraftClient client(client::Connect(options.server));
  Session session{.client = client,
                  .console = console,
                  .in = streams.in,
                  .json = options.output == "json",
                  .csv = options.output == "csv"};
  if (session.json || session.csv) console.SendMessagesToErr();
  const absl::StatusOr<ExitCode> result = chosen(session);
  if (result.ok()) return static_cast<int>(*result);
  ReportError(result.status(), options.server, console);
  return static_cast<int>(ExitCodeFor(result.status()));
}

}  // namespace graft::commands
