#include "server/metrics/scrape_target.h"

#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"

namespace graft::metrics {

absl::StatusOr<std::unique_ptr<ScrapeTarget>> ScrapeTarget::Publish(const DataFolder& data, const std::string& device,
                                                                    int port) {
  RETURN_IF_ERROR(CreateFolders(data.scrape_targets()));
  const std::string path = absl::StrCat(data.scrape_targets(), "/worker-", device, ".json");
  const nlohmann::json targets = {{{"targets", {absl::StrCat("127.0.0.1:", port)}}, {"labels", {{"device", device}}}}};
  RETURN_IF_ERROR(WriteFileDurably(path, targets.dump() + "\n"));
  return std::unique_ptr<ScrapeTarget>(new ScrapeTarget(path));
}

ScrapeTarget::~ScrapeTarget() {
  unlink(path_.c_str());
}

// The folder stays: Prometheus watches it.
absl::Status RemoveScrapeTargets(const DataFolder& data) {
  RETURN_IF_ERROR(CreateFolders(data.scrape_targets()));
  return StatusFromThrow(absl::StatusCode::kInternal, "remove old scrape targets", [&] {
    for (const auto& file : std::filesystem::directory_iterator(data.scrape_targets())) {
      std::filesystem::remove(file.path());
    }
    return absl::OkStatus();
  });
}

}  // namespace graft::metrics
