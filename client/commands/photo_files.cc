#include "client/commands/photo_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/archive/layout.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace graft::commands {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxBytes = 60 << 20;  // what fits a message; the server's own limit is far below and named by it

absl::StatusOr<std::vector<std::string>> PhotosBelow(const std::string& folder) {
  std::vector<std::string> photos;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const std::string path = it->path().lexically_relative(folder).string();
    if (it->is_directory(ignored)) {
      if (!archive::IsVisiblePath(path)) it.disable_recursion_pending();
    } else if (it->is_regular_file(ignored) && archive::IsPhotoPath(path)) {
      photos.push_back(it->path().string());
    }
  }
  if (error) return absl::FailedPreconditionError(absl::StrCat(folder, ": ", error.message()));
  if (photos.empty()) return absl::InvalidArgumentError(absl::StrCat(folder, ": no photos in this folder"));
  std::sort(photos.begin(), photos.end());
  return photos;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListPhotos(const std::vector<std::string>& arguments) {
  if (std::count(arguments.begin(), arguments.end(), "-") > 1) {
    return absl::InvalidArgumentError("-: standard input holds one photo; name it once");
  }
  std::vector<std::string> photos;
  for (const std::string& argument : arguments) {
    std::error_code ignored;
    if (argument == "-" || !fs::is_directory(argument, ignored)) {
      photos.push_back(argument);
      continue;
    }
    ASSIGN_OR_RETURN(const std::vector<std::string> below, PhotosBelow(argument));
    photos.insert(photos.end(), below.begin(), below.end());
  }
  return photos;
}

absl::StatusOr<std::string> ReadPhoto(const std::string& path, std::istream& in) {
  if (path != "-") return ReadFile(path, kMaxBytes);
  std::string bytes;
  std::array<char, 64 << 10> buffer;
  while (in.read(buffer.data(), buffer.size()) || in.gcount() > 0) {
    bytes.append(buffer.data(), static_cast<size_t>(in.gcount()));
    if (static_cast<int64_t>(bytes.size()) > kMaxBytes) {
      return absl::ResourceExhaustedError(absl::StrCat("standard input: more than ", kMaxBytes, " bytes"));
    }
  }
  if (bytes.empty()) return absl::InvalidArgumentError("standard input: empty; pipe an encoded photo into it");
  return bytes;
}

}  // namespace graft::commands
