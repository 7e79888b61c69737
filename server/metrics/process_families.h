// What the operating system says about this process, under the names that every Prometheus client library uses, and
// about the file system of its data folder.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "server/metrics/sampled.h"

namespace graft::metrics {

// Reads /proc/self.
Families ProcessFamilies(absl::Time start_time);

// Size of the database, and of the file system that `data_dir` is on.
Families DiskFamilies(const std::string& data_dir);

}  // namespace graft::metrics
