// graft-worker's command line.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/data_folder.h"

namespace graft::worker {

struct Options {
  DataFolder data;
  std::string device = "cpu";
  int threads = 1;                                      // that decode and compute features
  bool metrics = false;                                 // expose them on a free loopback port
  int64_t max_feature_cache_bytes = int64_t{10} << 30;  // two million photos' features
};

// InvalidArgument says what is wrong with the command line. `--help` prints and ends the process.
absl::StatusOr<Options> ParseOptions(int argc, const char* const* argv);

}  // namespace graft::worker
