// The files a client announces, checked one by one before a single byte of them travels.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/dataset/dataset_store.h"
#include "core/dataset/import.h"

namespace graft::dataset {

// One thread at a time.
class Announcement {
 public:
  explicit Announcement(const ImportLimits& limits) : limits_(limits) {}

  // Paths are unique, relative, UTF-8, without NUL and "..", 1 to 1024 bytes; labels 1 to 255 bytes of UTF-8 without
  // control characters, groups 0 to 255; one digest has one size. InvalidField naming field and file, ResourceExhausted
  // naming the limit on the upload as a whole. The same image may appear under several paths, and under several labels.
  absl::Status Add(std::vector<AnnouncedFile> files);
  // Enough classes, enough images in each; afterwards files() is sorted by path.
  absl::Status Finish();

  const std::vector<AnnouncedFile>& files() const { return files_; }
  // Of the distinct images, in the order of files().
  std::vector<std::string> Digests() const;
  // -1 for a digest that was not announced.
  int64_t SizeOf(absl::string_view sha256) const;
  int64_t total_bytes() const { return total_bytes_; }

 private:
  absl::Status Check(const AnnouncedFile& file) const;

  const ImportLimits limits_;
  std::vector<AnnouncedFile> files_;
  absl::flat_hash_set<std::string> paths_;
  absl::flat_hash_map<std::string, int64_t> sizes_;  // by digest
  int64_t total_bytes_ = 0;
};

// InvalidField naming the class with too few images, or how many classes there are. `what` says which images count
// ("announced", "decodable").
absl::Status CheckClasses(const std::map<std::string, int>& images_per_label, const ImportLimits& limits,
                          absl::string_view what);

}  // namespace graft::dataset
