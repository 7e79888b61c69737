// What a photo's path says: whether it counts, its label and its split.
#pragma once

#include <optional>
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

// The split that a folder or a manifest's field of this name means, in any case; none for any other name.
std::optional<Split> SplitNamed(absl::string_view text);

// Sets label and split of every entry (sorted by path, all with IsPhotoPath). Errors as DatasetSource::Open, naming
// `source`.
absl::Status AssignLabels(const std::string& source, std::vector<Entry>& entries);

// InvalidArgument naming the only class there is.
absl::Status AtLeastTwoClasses(const std::string& source, const std::vector<Entry>& entries);

}  // namespace graft::archive
