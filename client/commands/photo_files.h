// The photos named on a command line.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace graft::commands {

// Files as given; a folder's photos (what `dataset push` would take: by extension, nothing hidden, no system files) at
// any depth, sorted; "-" as it is. InvalidArgument, naming it, for a folder without photos and for a second "-";
// NotFound for a path that is not there is left to ReadPhoto, so that one bad name does not hide the others.
absl::StatusOr<std::vector<std::string>> ListPhotos(const std::vector<std::string>& arguments);

// The file's bytes, or all of `in` for "-". Errors name the file.
absl::StatusOr<std::string> ReadPhoto(const std::string& path, std::istream& in);

}  // namespace graft::commands
