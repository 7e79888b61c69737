#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/archive/file_tree.h"
#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace graft::archive {
namespace {

namespace fs = std::filesystem;

class FolderTree : public FileTree {
 public:
  FolderTree(std::string path, const SourceLimits& limits) : path_(std::move(path)), limits_(limits) {}

  absl::Status ForEachFile(const Wants& wants, const Visit& visit) const override {
    LimitCounter counter(limits_, path_);
    ASSIGN_OR_RETURN(const std::vector<std::string> files, List(counter));
    for (const std::string& file : files) {
      if (!wants(file)) continue;
      const std::string full_path = absl::StrCat(path_, "/", file);
      absl::StatusOr<std::string> bytes = ReadFile(full_path, limits_.max_file_bytes);
      if (absl::IsResourceExhausted(bytes.status())) return counter.CheckFileSize(file, limits_.max_file_bytes + 1);
      if (!bytes.ok()) return bytes.status();
      RETURN_IF_ERROR(counter.AddBytes(file, static_cast<int64_t>(bytes->size())));
      RETURN_IF_ERROR(visit(file, *std::move(bytes)));
    }
    return absl::OkStatus();
  }

 private:
  // Regular files only: links are neither followed nor read.
  absl::StatusOr<std::vector<std::string>> List(LimitCounter& counter) const {
    std::vector<std::string> files;
    std::error_code error;
    const fs::path root(path_);
    for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
      const fs::file_status status = it->symlink_status(error);
      if (error) break;
      // Deeper files are counted so that the limit on depth names one of them; nothing below is walked.
      if (it.depth() > limits_.max_depth + 1) it.disable_recursion_pending();
      if (!fs::is_regular_file(status)) continue;
      files.push_back(it->path().lexically_relative(root).generic_string());
      RETURN_IF_ERROR(counter.AddFile(files.back()));
    }
    if (error) return absl::InvalidArgumentError(absl::StrCat(path_, ": cannot be read: ", error.message()));
    std::sort(files.begin(), files.end());
    return files;
  }

  const std::string path_;
  const SourceLimits limits_;
};

}  // namespace

std::unique_ptr<FileTree> OpenFolder(const std::string& path, const SourceLimits& limits) {
  return std::make_unique<FolderTree>(path, limits);
}

}  // namespace graft::archive
