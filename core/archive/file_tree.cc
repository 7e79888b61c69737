#include "core/archive/file_tree.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace graft::archive {

absl::Status LimitCounter::AddFile(absl::string_view path) {
  if (++files_ > limits_.max_files) {
    return absl::InvalidArgumentError(
        absl::StrCat(source_, ": more than ", limits_.max_files, " files; split it into several data sets"));
  }
  if (std::count(path.begin(), path.end(), '/') > limits_.max_depth) {
    return absl::InvalidArgumentError(
        absl::StrCat(source_, ": ", path, " lies more than ", limits_.max_depth, " folders deep; flatten it"));
  }
  return absl::OkStatus();
}

absl::Status LimitCounter::AddBytes(absl::string_view path, int64_t bytes) {
  if (bytes > limits_.max_total_bytes - total_bytes_) {
    return absl::InvalidArgumentError(absl::StrCat(source_, ": ", path, " brings it over ", limits_.max_total_bytes,
                                                   " bytes; split it into several data sets"));
  }
  total_bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status LimitCounter::CheckFileSize(absl::string_view path, int64_t bytes) const {
  if (bytes <= limits_.max_file_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(source_, ": ", path, " is larger than ", limits_.max_file_bytes,
                                                 " bytes; make the picture smaller or leave it out"));
}

}  // namespace graft::archive
