// Everything about a server that its operator decides. Later wins: defaults, --config file, environment, flags.
//
// A flag --some-name is GRAFT_SOME_NAME in the environment and `some-name = value` in the file (TOML or INI). No
// setting is a secret: those are in files that settings name.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/config/listen_address.h"

namespace graft::config {

struct ServerConfig {
  std::string data_dir;
  ListenAddress listen{"127.0.0.1", 50051};
  std::optional<ListenAddress> metrics_listen = ListenAddress{"127.0.0.1", 9464};  // nullopt ("none"): no metrics
  std::vector<std::string> devices;  // those with a worker; {"auto"}: whatever the machine has
  int worker_cores = 0;              // of all workers together; 0: see server/main/devices.h
  int inference_threads = 0;         // 0: see server/main/devices.h
  int64_t max_image_bytes = 10 << 20;
  int64_t max_trunk_bytes = int64_t{8} << 30;  // of backbones in memory; the least recently used leave
  int64_t response_cache_bytes = 0;            // 0: no response cache
  std::string log_level = "info";
  bool behind_http2_proxy = false;
  bool require_auth = false;    // see AsksWhoCalls
  std::string tls_certificate;  // PEM files, read again when they change; both or none
  std::string tls_key;
  std::string tls_client_ca;         // empty: clients show no certificates
  double max_calls_per_second = 50;  // of a principal
  int drain_seconds = 5;             // how long calls are still taken after SIGTERM
};

// What the command line asked for: a server, a check of its settings, or a text to print (--help, --version).
struct ParsedConfig {
  std::optional<ServerConfig> config;
  bool check_only = false;  // --check-config: `text` is every setting with its value and where that comes from
  std::string text;
};

// The variables whose names start with GRAFT_.
using Environment = std::map<std::string, std::string>;

// Parses and checks. InvalidArgument naming the flag and the remedy, and where the value stands if that is not the
// command line; a name that is no setting is an error that suggests one. `version` answers --version.
absl::StatusOr<ParsedConfig> ParseServerConfig(const std::vector<std::string>& arguments,
                                               const Environment& environment, const std::string& version);

// Whether every call needs a token or a known certificate: when other machines can reach the server, directly or
// through a proxy (whose clients look local), and when the operator says so.
bool AsksWhoCalls(const ServerConfig& config);

// Whether this server may listen there. What other machines can reach needs TLS; and gRPC below 1.60 does not bound
// HTTP/2 rapid reset (one connection drove a server to 2 GB), so there it must also be behind a proxy that terminates
// HTTP/2. The metrics are read-only, but tell much: they stay local, or behind such a proxy.
absl::Status CheckExposure(const ServerConfig& config, const std::string& grpc_version);

}  // namespace graft::config
