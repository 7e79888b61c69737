// What a photo's path says: whether it counts, its label and its split.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/archive/dataset_source.h"

namespace graft::archive {

// True if no part of the path is hidden or an operating system's own (Thumbs.db, __MACOSX).
bool IsVisiblePath(absl::string_view path);
// True for a picture's extension in a visible path.
bool IsPhotoPath(absl::string_view path);

// Sets label and split of every entry (sorted by path, all with IsPhotoPath). Errors as DatasetSource::Open, naming
// `source`.
absl::Status AssignLabels(const std::string& source, std::vector<Entry>& entries);

}  // namespace graft::archive
