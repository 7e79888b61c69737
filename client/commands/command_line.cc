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

Settings, later ones win: defaults, the configuration file, GRAFT_SERVER, GRAFT_TOKEN and GRAFT_CA_FILE, flags.
The configuration file is TOML; a subcommand's flags go into its section:
  server = "graft.example.org:8443"
  ca-file = "/etc/graft/ca.pem"
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

// CLI11 lets the file win over the environment, so variables go in as flags before the real ones: the file only fills
// what no flag has set, and the last flag wins.
std::vector<std::string> WithEnvironment(const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  for (const auto& [flag, variable] : {std::pair("--server=", "GRAFT_SERVER"), std::pair("--token=", "GRAFT_TOKEN"),
                                       std::pair("--ca-file=", "GRAFT_CA_FILE")}) {
    if (const std::string value = Environment(variable); !value.empty()) result.push_back(flag + value);
  }
  result.insert(result.end(), arguments.begin(), arguments.end());
  return result;
}

struct GlobalOptions {
  std::string server = kDefaultServer;
  std::string output = "table";
  client::Security security;
};

void DefineSecurity(CLI::App& app, client::Security& security) {
  app.add_option("--token", security.token, "Who calls: a token of graft-server token create [GRAFT_TOKEN]")
      ->take_last();
  app.add_flag("--tls", security.tls, "Encrypt, trusting this machine's authorities")->take_last();
  app.add_option("--ca-file", security.ca_file, "Encrypt, trusting this PEM file instead [GRAFT_CA_FILE]")
      ->type_name("FILE")
      ->take_last();
  app.add_option("--cert-file", security.certificate_file, "Who calls: a client certificate, with --key-file")
      ->type_name("FILE")
      ->take_last();
  app.add_option("--key-file", security.key_file, "Its key")->type_name("FILE")->take_last();
}

void Define(CLI::App& app, GlobalOptions& options, Command& chosen) {
  app.require_subcommand(1);
  app.fallthrough();  // global flags may stand behind the subcommand
  app.footer(kFooter);
  app.set_version_flag("--version", kVersion);
  app.set_config("--config", DefaultConfigFile(), "Configuration file")->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--server", options.server, "Address of graft-server [GRAFT_SERVER]")
      ->type_name("HOST:PORT|unix:PATH")
      ->capture_default_str()
      ->take_last();
  app.add_option("-o,--output", options.output,
                 "table; json: the answer as protobuf JSON, alone on stdout; csv: for classify")
      ->check(CLI::IsMember({"table", "json", "csv"}))
      ->capture_default_str()
      ->take_last();
  DefineSecurity(app, options.security);
  AddDatasetCommands(app, chosen);
  AddTrainCommand(app, chosen);
  AddJobCommands(app, chosen);
  AddModelCommands(app, chosen);
  AddClassifyCommand(app, chosen);
  AddCompareCommand(app, chosen);
  AddStatusCommand(app, chosen);
  AddHealthCommand(app, chosen);
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
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = client::Connect(options.server, options.security);
  if (!channel.ok()) {
    ReportError(channel.status(), options.server, console);
    return static_cast<int>(ExitCode::kUsage);
  }
  client::GraftClient client(*std::move(channel));
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
