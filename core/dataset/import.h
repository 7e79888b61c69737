// One upload: announced files, missing blobs stored as they come, every image decoded once, one version at the end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/dataset/dataset_store.h"

namespace graft::dataset {

struct ImportLimits {
  int64_t max_file_bytes = 20 << 20;
  int max_files = 200'000;
  int max_classes = 1000;
  int min_classes = 2;
  int min_images_per_class = 2;
  int64_t max_total_bytes = int64_t{20} << 30;
};

struct ImportOptions {
  std::string dataset;
  double max_undecodable_fraction = 0.05;
};

struct ImportProgress {
  int blobs_stored = 0;
  int64_t bytes_stored = 0;
  int images_checked = 0;
  int images_total = 0;
};

struct ImportResult {
  Version version;
  bool already_existed = false;
  int blobs_received = 0;
};

// One thread at a time. Order: Announce*, FinishAnnouncing, AddBlob*, Commit. Blobs become durable in groups (8 MiB or
// 256 blobs or when Flush is called); destroying the import keeps what was stored.
class Import {
 public:
  static absl::StatusOr<std::unique_ptr<Import>> Start(const ImportOptions& options, const ImportLimits& limits,
                                                       DatasetStore* datasets, store::Database* database);
  virtual ~Import() = default;

  virtual absl::Status Announce(std::vector<AnnouncedFile> files) = 0;
  // The digests whose bytes are needed.
  virtual absl::StatusOr<std::vector<std::string>> FinishAnnouncing() = 0;
  // Aborted if the bytes do not have this digest; InvalidArgument if it is not one of the missing.
  virtual absl::Status AddBlob(absl::string_view sha256, std::string bytes) = 0;
  virtual absl::Status Flush() = 0;
  // Decodes what was never decoded before (on all available cores), quarantines what cannot be, audits the rest, writes
  // the version in one transaction. Content that is there already makes no new version; it gets its audit if an older
  // program stored it without. `on_progress` is called from this thread about four times a second.
  virtual absl::StatusOr<ImportResult> Commit(const std::function<void(const ImportProgress&)>& on_progress) = 0;
  virtual ImportProgress progress() const = 0;
};

}  // namespace graft::dataset
