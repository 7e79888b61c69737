// Files that keep their promises: written beside, synced, renamed, folder synced.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft {

// The whole file. NotFound if it is not there, ResourceExhausted if it is larger than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes);

// Replaces `path` atomically: after OK the new bytes survive a power cut; after an error or a crash the old file, if
// any, is whole. Leaves no temporary behind on error.
absl::Status WriteFileDurably(const std::string& path, absl::string_view bytes);

// Creates the folder and its parents (mode 0700).
absl::Status CreateFolders(const std::string& path);

// fsync of a folder: makes the names in it durable.
absl::Status SyncFolder(const std::string& path);

// rename(2) and a sync of the target's folder; fails if the target exists. Both on one file system.
absl::Status RenameDurably(const std::string& from, const std::string& to);

// An exclusive lock on a file (flock), held until destruction or the process's death. The file holds `content`.
class FileLock {
 public:
  // FailedPrecondition if somebody else holds it; never waits.
  static absl::StatusOr<std::unique_ptr<FileLock>> TryAcquire(const std::string& path, absl::string_view content);
  // True if a living process holds the lock at `path`.
  static bool IsHeld(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

}  // namespace graft
