// Tells Prometheus where a worker's metrics are: a file for its file_sd_configs.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/data_folder.h"

namespace graft::metrics {

// targets/worker-<device>.json of the data folder, as long as it lives. A worker that is killed leaves its file: the
// next one replaces it, and until then Prometheus sees that the target is down.
class ScrapeTarget {
 public:
  static absl::StatusOr<std::unique_ptr<ScrapeTarget>> Publish(const DataFolder& data, const std::string& device,
                                                               int port);
  ~ScrapeTarget();
  ScrapeTarget(const ScrapeTarget&) = delete;
  ScrapeTarget& operator=(const ScrapeTarget&) = delete;

 private:
  explicit ScrapeTarget(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

// Before the first worker of a server starts: those of devices that it has no more.
absl::Status RemoveScrapeTargets(const DataFolder& data);

}  // namespace graft::metrics
