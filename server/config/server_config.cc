#include "server/config/server_config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"

namespace graft::config {
namespace {

// The flags as text and numbers, before the checks that CLI11 does not know.
struct RawConfig {
  ServerConfig config;
  std::string listen = "127.0.0.1:50051";
  std::string metrics_listen = "127.0.0.1:9464";
  std::string devices = "auto";
};

void DeclareFlags(CLI::App& app, RawConfig& raw, const std::string& version) {
  ServerConfig& config = raw.config;
  app.add_option("--data-dir", config.data_dir, "Folder for everything the server keeps; created if absent")
      ->required();
  app.add_option("--listen", raw.listen, "HOST:PORT of the gRPC API; port 0 takes a free one")->capture_default_str();
  app.add_option("--metrics-listen", raw.metrics_listen, "HOST:PORT of the Prometheus metrics, or none")
      ->capture_default_str();
  app.add_option("--devices", raw.devices, "Devices with a training worker: auto, none, or cpu,cuda:0,...")
      ->capture_default_str();
  app.add_option("--worker-cores", config.worker_cores, "Cores of all workers together; 0: every core, at low priority")
      ->check(CLI::Range(0, 4096));
  app.add_option("--inference-threads", config.inference_threads, "Threads of Classify; 0: one per core")
      ->check(CLI::Range(0, 4096));
  app.add_option("--max-image-bytes", config.max_image_bytes, "Largest encoded image that Classify takes")
      ->capture_default_str()
      ->check(CLI::Range(1024, 60 << 20));
  app.add_option("--max-trunk-bytes", config.max_trunk_bytes,
                 "Memory of loaded backbones; beyond it the least recently used leave, but for production's")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1} << 20, int64_t{1} << 50));
  app.add_option("--response-cache-bytes", config.response_cache_bytes,
                 "Memory for answers to images seen before; 0: none are kept")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 50));
  app.add_option("--log-level", config.log_level, "debug, info, warn or error")
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_flag("--behind-http2-proxy", config.behind_http2_proxy,
               "A proxy that terminates HTTP/2 stands before this server: lets it listen beyond loopback");
  app.set_config("--config", "", "TOML or INI file with these settings, without the dashes");
  app.set_version_flag("--version", version);
  app.footer(
      "Every setting is also an environment variable, GRAFT_LISTEN for --listen, and a line of the file.\n"
      "Later ones win: defaults, file, environment, flags.");
  app.allow_config_extras(CLI::config_extras_mode::error);
  for (CLI::Option* option : app.get_options()) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

std::string EnvironmentName(const std::string& flag) {
  return "GRAFT_" + absl::AsciiStrToUpper(absl::StrReplaceAll(flag, {{"-", "_"}}));
}

// CLI11 lets the file win over its environment variables, so ours become flags in front of the real ones.
std::vector<std::string> WithEnvironment(const CLI::App& app, const std::vector<std::string>& arguments,
                                         const Environment& environment) {
  std::vector<std::string> all;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty()) continue;
    const std::string& flag = option->get_lnames().front();
    if (flag == "help" || flag == "version") continue;
    const char* value = environment(EnvironmentName(flag).c_str());
    if (value != nullptr && *value != '\0') all.push_back(absl::StrCat("--", flag, "=", value));
  }
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

absl::Status CheckDevice(absl::string_view device) {
  absl::string_view index = device;
  int number = 0;
  const bool cuda = absl::ConsumePrefix(&index, "cuda:") && absl::SimpleAtoi(index, &number) && number >= 0;
  if (device == "cpu" || cuda) return absl::OkStatus();
  return InvalidField("--devices", absl::StrCat("'", device, "' is none of auto, none, cpu, cuda:0, cuda:1, ..."));
}

absl::StatusOr<std::vector<std::string>> ParseDevices(const std::string& text) {
  if (text == "none") return std::vector<std::string>{};
  if (text == "auto") return std::vector<std::string>{"auto"};
  std::vector<std::string> devices = absl::StrSplit(text, ',', absl::SkipWhitespace());
  for (std::string& device : devices) {
    absl::StripAsciiWhitespace(&device);
    RETURN_IF_ERROR(CheckDevice(device));
    if (std::count(devices.begin(), devices.end(), device) > 1) {
      return InvalidField("--devices", absl::StrCat("'", device, "' is named twice"));
    }
  }
  if (devices.empty()) return InvalidField("--devices", "is empty; say none for a server without workers");
  return devices;
}

absl::StatusOr<ServerConfig> Checked(RawConfig raw) {
  ServerConfig config = std::move(raw.config);
  if (config.data_dir.empty()) return InvalidField("--data-dir", "is empty");
  ASSIGN_OR_RETURN(config.listen, ParseListenAddress("--listen", raw.listen));
  config.metrics_listen.reset();
  if (raw.metrics_listen != "none") {
    ASSIGN_OR_RETURN(config.metrics_listen, ParseListenAddress("--metrics-listen", raw.metrics_listen));
  }
  ASSIGN_OR_RETURN(config.devices, ParseDevices(raw.devices));
  return config;
}

bool IsBelow1Point60(const std::string& grpc_version) {
  const std::vector<std::string> parts = absl::StrSplit(grpc_version, '.');
  int major = 0;
  int minor = 0;
  if (parts.size() < 2 || !absl::SimpleAtoi(parts[0], &major) || !absl::SimpleAtoi(parts[1], &minor)) return true;
  return major < 1 || (major == 1 && minor < 60);
}

}  // namespace

absl::StatusOr<ParsedConfig> ParseServerConfig(const std::vector<std::string>& arguments,
                                               const Environment& environment, const std::string& version) {
  CLI::App app("The Graft server: fine-tunes image classifiers and serves them over gRPC.", "graft-server");
  RawConfig raw;
  DeclareFlags(app, raw, version);
  std::vector<std::string> all = WithEnvironment(app, arguments, environment);
  std::reverse(all.begin(), all.end());  // the order CLI11 takes them in
  try {
    app.parse(all);
  } catch (const CLI::CallForHelp&) {
    return ParsedConfig{std::nullopt, app.help()};
  } catch (const CLI::CallForVersion&) {
    return ParsedConfig{std::nullopt, version + "\n"};
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), " (graft-server --help lists the settings)"));
  }
  ASSIGN_OR_RETURN(ServerConfig config, Checked(std::move(raw)));
  return ParsedConfig{std::move(config), ""};
}

absl::Status CheckExposure(const ServerConfig& config, const std::string& grpc_version) {
  if (config.behind_http2_proxy) return absl::OkStatus();
  if (!config.listen.IsLoopback()) {
    const std::string rapid_reset = IsBelow1Point60(grpc_version)
                                        ? absl::StrCat(", and its gRPC ", grpc_version,
                                                       " does not bound HTTP/2 rapid reset: one connection can "
                                                       "take gigabytes")
                                        : "";
    return InvalidField("--listen", absl::StrCat(config.listen.ToString(),
                                                 " is reachable from other machines, but this server has no TLS or "
                                                 "authentication of its own",
                                                 rapid_reset,
                                                 ". Listen on 127.0.0.1 and put a proxy that terminates HTTP/2 in "
                                                 "front (deploy/nginx), or say --behind-http2-proxy if there is one"));
  }
  if (config.metrics_listen && !config.metrics_listen->IsLoopback()) {
    return InvalidField("--metrics-listen",
                        absl::StrCat(config.metrics_listen->ToString(),
                                     " is reachable from other machines without authentication. Use 127.0.0.1, or say "
                                     "--behind-http2-proxy if a proxy or firewall stands before it"));
  }
  return absl::OkStatus();
}

}  // namespace graft::config
