// The regular files below a folder or in an archive, one after the other, within limits.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/archive/dataset_source.h"

namespace graft::archive {

class FileTree {
 public:
  virtual ~FileTree() = default;

  // Calls `visit` with path and bytes of each file that `wants` names; the others are passed over unread. Paths are
  // relative, '/' between parts, without "." or "..".
  using Wants = std::function<bool(absl::string_view path)>;
  using Visit = std::function<absl::Status(const std::string& path, std::string bytes)>;
  virtual absl::Status ForEachFile(const Wants& wants, const Visit& visit) const = 0;
};

std::unique_ptr<FileTree> OpenFolder(const std::string& path, const SourceLimits& limits);
std::unique_ptr<FileTree> OpenArchive(const std::string& path, const SourceLimits& limits);

// Counts one pass against the limits.
class LimitCounter {
 public:
  LimitCounter(const SourceLimits& limits, const std::string& source) : limits_(limits), source_(source) {}
  absl::Status AddFile(absl::string_view path);
  // Bytes of any file, held or passed over.
  absl::Status AddBytes(absl::string_view path, int64_t bytes);
  absl::Status CheckFileSize(absl::string_view path, int64_t bytes) const;
  int64_t total_bytes() const { return total_bytes_; }

 private:
  const SourceLimits& limits_;
  const std::string& source_;
  int files_ = 0;
  int64_t total_bytes_ = 0;
};

}  // namespace graft::archive
