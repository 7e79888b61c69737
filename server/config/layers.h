// The settings that a file and the environment make, as flags for the command line's parser.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/config/server_config.h"

namespace graft::config {

struct Assignment {
  std::string setting;  // "listen"
  std::string value;
  std::string source;  // "environment GRAFT_LISTEN", "file /etc/graft.toml"

  std::string ToFlag() const { return "--" + setting + "=" + value; }
};

// Empty values count as absent, here and in the environment. `settings` are the names that exist. InvalidArgument for a
// file that cannot be read, and for a name that is none.
absl::StatusOr<std::vector<Assignment>> ReadConfigFile(const std::string& path,
                                                       const std::vector<std::string>& settings);

// Variables that the other programs of Graft read, and those that Kubernetes makes of services, are passed over.
absl::StatusOr<std::vector<Assignment>> ReadEnvironment(const Environment& environment,
                                                        const std::vector<std::string>& settings);

// `what` is no setting; `nearest_of` are names as they would have been written there.
absl::Status UnknownSetting(const std::string& what, const std::string& typed,
                            const std::vector<std::string>& nearest_of);

}  // namespace graft::config
