// Data set versions in the database, photos in the blob store.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/ids.h"
#include "core/dataset/dataset.h"
#include "core/dataset/split.h"
#include "core/store/blob_store.h"
#include "core/store/database.h"

namespace graft::dataset {

// A file as the client announced it.
struct AnnouncedFile {
  std::string path;
  std::string label;
  Split split = Split::kUnspecified;
  std::string sha256;
  int64_t size_bytes = 0;
  std::string group;  // see proto UploadDatasetRequest.File; empty for none
};

// Thread-safe.
class DatasetStore {
 public:
  DatasetStore(store::Database* database, store::BlobStore* blobs) : database_(database), blobs_(blobs) {}

  // NotFound names what exists.
  absl::StatusOr<Version> Find(const VersionReference& reference);
  // Latest version of each data set, by name, after `after_name`, at most `limit`.
  absl::StatusOr<std::vector<Version>> List(absl::string_view after_name, int limit);
  // Ordered by path: the order that split indices and class indices refer to.
  absl::StatusOr<std::vector<Example>> Examples(const Version& version);
  struct Counts {
    int datasets = 0, versions = 0;
  };
  absl::StatusOr<Counts> Count();
  absl::StatusOr<Report> GetReport(const VersionReference& reference);

  // The split for these fractions and seed: computed and stored on first use, then always the same. Given splits are
  // kept (a missing validation or test part is taken from train). Stratified per class. InvalidField when a class is
  // too small to give every split a photo, or the fractions are out of range (each > 0, sum < 1), or the folds are.
  absl::StatusOr<SplitIndices> OpenSplit(const Version& version, double train_fraction, double validation_fraction,
                                         uint32_t seed, const Folds& folds = {});

  store::BlobStore& blobs() { return *blobs_; }

 private:
  store::Database* const database_;
  store::BlobStore* const blobs_;
};

}  // namespace graft::dataset
