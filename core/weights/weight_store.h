// The data folder's pretrained backbones: <root>/<backbone>/<sha256>.safetensors with a <sha256>.json beside it that
// says where it came from, and <root>/<backbone>/current, a copy of the .json of the one to use.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::weights {

struct StoredWeights {
  std::string backbone;  // "mobilenet_v2", ...
  std::string sha256;    // of the safetensors file
  std::string path;
  std::string source;  // file name and SHA-256 of what was imported, or "random:SEED"
  std::string licence;
};

// Writes the file (if it is not there) and makes it current. Durable.
absl::StatusOr<StoredWeights> PutWeights(const std::string& root, absl::string_view backbone,
                                         absl::string_view safetensors, absl::string_view source,
                                         absl::string_view licence);

// The current weights of a backbone. NotFound says how to import them.
absl::StatusOr<StoredWeights> CurrentWeights(const std::string& root, absl::string_view backbone);

// A specific file, for versions that were trained on earlier weights. NotFound.
absl::StatusOr<StoredWeights> FindWeights(const std::string& root, absl::string_view backbone,
                                          absl::string_view sha256);

}  // namespace graft::weights
