#include "server/config/server_config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "server/config/layers.h"

namespace graft::config {
namespace {

// The flags as text and numbers, before the checks that CLI11 does not know.
struct RawConfig {
  ServerConfig config;
  std::string listen = "127.0.0.1:50051";
  std::string metrics_listen = "127.0.0.1:9464";
  std::string devices = "auto";
  std::string config_file;
  bool check_only = false;
};

void DeclareFlags(CLI::App& app, RawConfig& raw, const std::string& version) {
  ServerConfig& config = raw.config;
  app.add_option("--data-dir", config.data_dir, "Folder for everything the server keeps; created if absent (required)");
  app.add_option("--listen", raw.listen, "HOST:PORT of the gRPC API, port 0 takes a free one; or unix:/PATH")
      ->capture_default_str();
  app.add_option("--metrics-listen", raw.metrics_listen, "HOST:PORT of the Prometheus metrics, or none")
      ->capture_default_str();
  app.add_option("--devices", raw.devices, "Devices with a training worker: auto, none, or cpu,cuda:0,...")
      ->capture_default_str();
  app.add_option("--worker-cores", config.worker_cores, "Cores of all workers together; 0: every core, at low priority")
      ->capture_default_str()
      ->check(CLI::Range(0, 4096));
  app.add_option("--inference-threads", config.inference_threads, "Threads of Classify; 0: one per core")
      ->capture_default_str()
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
  app.add_option("--tls-certificate", config.tls_certificate, "PEM file of this server's certificate chain; reloaded");
  app.add_option("--tls-key", config.tls_key, "PEM file of its private key");
  app.add_option("--tls-client-ca", config.tls_client_ca,
                 "PEM file of who signs clients' certificates (graft-server certificate add)");
  app.add_flag("--require-auth", config.require_auth,
               "Ask every caller for a token or certificate, as beyond loopback (graft-server token create)");
  app.add_flag("--behind-http2-proxy", config.behind_http2_proxy,
               "A proxy that terminates HTTP/2 stands before this server; its clients are asked who they are");
  app.add_option("--max-calls-per-second", config.max_calls_per_second,
                 "Of each principal, where callers are asked who they are; twice as many at once after a pause")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 1e6));
  app.add_option("--drain-seconds", config.drain_seconds,
                 "How long calls are still taken after SIGTERM, while health says NOT_SERVING")
      ->capture_default_str()
      ->check(CLI::Range(0, 15));
  app.add_option("--config", raw.config_file, "TOML or INI file with these settings, without the dashes");
  app.add_flag("--check-config", raw.check_only,
               "Check the settings, print each with its value and where that comes from, and end");
  app.set_version_flag("--version", version);
  app.footer(
      "Every setting is also an environment variable, GRAFT_LISTEN for --listen, and a line of the file.\n"
      "Later ones win: defaults, file, environment, flags.");
  app.allow_extras();  // which UnknownFlag then reports
  for (CLI::Option* option : app.get_options()) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
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
  if (config.data_dir.empty()) return InvalidField("--data-dir", "is required");
  ASSIGN_OR_RETURN(config.listen, ParseListenAddress("--listen", raw.listen));
  config.metrics_listen.reset();
  if (raw.metrics_listen != "none") {
    ASSIGN_OR_RETURN(config.metrics_listen, ParseListenAddress("--metrics-listen", raw.metrics_listen));
    if (!config.metrics_listen->path.empty()) return InvalidField("--metrics-listen", "must be HOST:PORT or none");
  }
  ASSIGN_OR_RETURN(config.devices, ParseDevices(raw.devices));
  if (config.tls_certificate.empty() != config.tls_key.empty()) {
    return InvalidField(config.tls_key.empty() ? "--tls-key" : "--tls-certificate", "is missing beside the other");
  }
  if (!config.tls_client_ca.empty() && config.tls_key.empty()) {
    return InvalidField("--tls-client-ca", "needs --tls-certificate and --tls-key");
  }
  return config;
}

bool IsBelow1Point60(const std::string& grpc_version) {
  const std::vector<std::string> parts = absl::StrSplit(grpc_version, '.');
  int major = 0;
  int minor = 0;
  if (parts.size() < 2 || !absl::SimpleAtoi(parts[0], &major) || !absl::SimpleAtoi(parts[1], &minor)) return true;
  return major < 1 || (major == 1 && minor < 60);
}

// ---- what comes from where ----
std::string NameOf(const CLI::Option& option) {
  return option.get_lnames().empty() ? "" : option.get_lnames().front();
}

// The options that configure a server, in the order of --help.
std::vector<const CLI::Option*> Settings(const CLI::App& app) {
  std::vector<const CLI::Option*> settings;
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = NameOf(*option);
    if (name != "help" && name != "version" && name != "config" && name != "check-config") settings.push_back(option);
  }
  return settings;
}

std::vector<std::string> SettingNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* setting : Settings(app)) names.push_back(NameOf(*setting));
  return names;
}

void ParseWords(CLI::App& app, std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());  // the order CLI11 takes them in
  app.parse(words);
}

absl::Status UnknownFlag(const CLI::App& app) {
  std::vector<std::string> flags = {"--help", "--version", "--config", "--check-config"};
  for (const std::string& name : SettingNames(app)) flags.push_back("--" + name);
  const std::string typed = app.remaining().front();
  const std::string flag = typed.substr(0, typed.find('='));
  return UnknownSetting(flag, flag, flags);
}

// The settings as lines of a file that would make them.
std::string Describe(const CLI::App& app, const std::map<std::string, std::string>& sources) {
  std::string text;
  for (const CLI::Option* setting : Settings(app)) {
    const bool is_flag = setting->get_expected_max() == 0;
    const std::string initial = is_flag ? "false" : setting->get_default_str();
    const std::string value = setting->count() > 0 ? setting->results().back() : initial;
    double number = 0;
    const bool plain = value == "true" || value == "false" || absl::SimpleAtod(value, &number);
    const auto source = sources.find(NameOf(*setting));
    absl::StrAppend(&text, NameOf(*setting), " = ", plain ? "" : "\"", value, plain ? "" : "\"", "  # ",
                    source == sources.end() ? "default" : source->second, "\n");
  }
  return text;
}

// Parses all layers, the flags last; `sources` gets where each setting's value comes from.
absl::Status ParseLayers(CLI::App& app, const RawConfig& raw, const std::vector<std::string>& arguments,
                         const Environment& environment, std::map<std::string, std::string>& sources) {
  ParseWords(app, arguments);
  if (!app.remaining().empty()) return UnknownFlag(app);
  std::map<std::string, std::string> flags;
  for (const CLI::Option* setting : Settings(app)) {
    if (setting->count() > 0) flags[NameOf(*setting)] = "flag --" + NameOf(*setting);
  }
  std::string file = raw.config_file;
  if (const auto variable = environment.find("GRAFT_CONFIG"); file.empty() && variable != environment.end()) {
    file = variable->second;
  }
  const std::vector<std::string> names = SettingNames(app);
  std::vector<Assignment> assignments;
  if (!file.empty()) {
    ASSIGN_OR_RETURN(assignments, ReadConfigFile(file, names));
  }
  ASSIGN_OR_RETURN(const std::vector<Assignment> variables, ReadEnvironment(environment, names));
  assignments.insert(assignments.end(), variables.begin(), variables.end());
  std::vector<std::string> words;
  for (const Assignment& assignment : assignments) {
    words.push_back(assignment.ToFlag());
    sources[assignment.setting] = assignment.source;
    try {
      ParseWords(app, {words.back()});  // alone, so that an error tells where the value stands
    } catch (const CLI::Error& error) {
      return absl::InvalidArgumentError(absl::StrCat(assignment.source, ": ", error.what()));
    }
  }
  for (const auto& [name, source] : flags) sources[name] = source;
  words.insert(words.end(), arguments.begin(), arguments.end());
  ParseWords(app, std::move(words));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ParsedConfig> ParseServerConfig(const std::vector<std::string>& arguments,
                                               const Environment& environment, const std::string& version) {
  CLI::App app("The Graft server: fine-tunes image classifiers and serves them over gRPC.", "graft-server");
  RawConfig raw;
  DeclareFlags(app, raw, version);
  std::map<std::string, std::string> sources;
  try {
    RETURN_IF_ERROR(ParseLayers(app, raw, arguments, environment, sources));
  } catch (const CLI::CallForHelp&) {
    return ParsedConfig{.config = std::nullopt, .text = app.help()};
  } catch (const CLI::CallForVersion&) {
    return ParsedConfig{.config = std::nullopt, .text = version + "\n"};
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), " (graft-server --help lists the settings)"));
  }
  const bool check_only = raw.check_only;
  ASSIGN_OR_RETURN(ServerConfig config, Checked(std::move(raw)));
  return ParsedConfig{std::move(config), check_only, check_only ? Describe(app, sources) : ""};
}

bool AsksWhoCalls(const ServerConfig& config) {
  return config.require_auth || config.behind_http2_proxy || !config.listen.IsLocal();
}

absl::Status CheckExposure(const ServerConfig& config, const std::string& grpc_version) {
  if (!config.listen.IsLocal() && config.tls_key.empty()) {
    return InvalidField("--listen", absl::StrCat(config.listen.ToString(),
                                                 " is reachable from other machines, so it needs TLS: give "
                                                 "--tls-certificate and --tls-key (PEM files). Its callers need tokens "
                                                 "(graft-server token create) or certificates (--tls-client-ca, "
                                                 "graft-server certificate add). Or listen on 127.0.0.1"));
  }
  if (!config.listen.IsLocal() && !config.behind_http2_proxy && IsBelow1Point60(grpc_version)) {
    return InvalidField(
        "--listen", absl::StrCat(config.listen.ToString(), " is reachable from other machines, and gRPC ", grpc_version,
                                 " does not bound HTTP/2 rapid reset: one connection can take gigabytes. Put a "
                                 "proxy that terminates HTTP/2 in front (deploy/nginx) and say "
                                 "--behind-http2-proxy, or listen on 127.0.0.1"));
  }
  if (config.metrics_listen && !config.metrics_listen->IsLocal() && !config.behind_http2_proxy) {
    return InvalidField("--metrics-listen",
                        absl::StrCat(config.metrics_listen->ToString(),
                                     " is reachable from other machines without authentication. Use 127.0.0.1, or say "
                                     "--behind-http2-proxy if a proxy or firewall stands before it"));
  }
  return absl::OkStatus();
}

}  // namespace graft::config
