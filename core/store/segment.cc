#include "core/store/segment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"

namespace graft::store {
namespace {

absl::Status FileError(int error, absl::string_view doing, const std::string& path) {
  if (error == ENOSPC || error == EDQUOT) {
    return absl::ResourceExhaustedError(absl::StrCat(doing, " ", path, ": no space left; free some and try again"));
  }
  return absl::ErrnoToStatus(error, absl::StrCat(doing, " ", path));
}

}  // namespace

std::string SegmentPath(const std::string& folder, absl::string_view id) {
  return absl::StrCat(folder, "/", id, ".seg");
}

SegmentWriter::SegmentWriter(std::string id, std::string path, int descriptor)
    : id_(std::move(id)), path_(std::move(path)), descriptor_(descriptor) {}

SegmentWriter::~SegmentWriter() {
  close(descriptor_);
}

absl::StatusOr<std::unique_ptr<SegmentWriter>> SegmentWriter::Create(const std::string& folder) {
  std::string id = NewId();
  std::string path = SegmentPath(folder, id);
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return FileError(errno, "create", path);
  auto writer = std::unique_ptr<SegmentWriter>(new SegmentWriter(std::move(id), std::move(path), descriptor));
  RETURN_IF_ERROR(SyncFolder(folder));
  return writer;
}

absl::StatusOr<int64_t> SegmentWriter::Append(absl::string_view bytes) {
  const int64_t offset = size_;
  while (!bytes.empty()) {
    const ssize_t written = pwrite(descriptor_, bytes.data(), bytes.size(), size_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError(errno, "write", path_);
    size_ += written;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return offset;
}

absl::Status SegmentWriter::Sync() {
  return fdatasync(descriptor_) == 0 ? absl::OkStatus() : FileError(errno, "sync", path_);
}

SegmentReader::SegmentReader(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

SegmentReader::~SegmentReader() {
  close(descriptor_);
}

absl::StatusOr<std::shared_ptr<const SegmentReader>> SegmentReader::Open(const std::string& folder,
                                                                         absl::string_view id) {
  std::string path = SegmentPath(folder, id);
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return absl::DataLossError(absl::StrCat(path, " is missing"));
  if (descriptor < 0) return FileError(errno, "open", path);
  return std::shared_ptr<const SegmentReader>(new SegmentReader(std::move(path), descriptor));
}

absl::StatusOr<std::string> SegmentReader::Read(int64_t offset, int64_t size) const {
  struct stat info;
  if (fstat(descriptor_, &info) != 0) return FileError(errno, "stat", path_);
  // Checked before the bytes are allocated: a damaged row may claim any size.
  if (offset < 0 || size < 0 || offset > info.st_size || size > info.st_size - offset) {
    return absl::DataLossError(
        absl::StrCat(path_, " has ", info.st_size, " bytes, expected ", size, " at offset ", offset));
  }
  std::string bytes(static_cast<size_t>(size), '\0');
  for (int64_t done = 0; done < size;) {
    const ssize_t count = pread(descriptor_, bytes.data() + done, static_cast<size_t>(size - done), offset + done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError(errno, "read", path_);
    if (count == 0) return absl::DataLossError(absl::StrCat(path_, " ends at ", offset + done));
    done += count;
  }
  return bytes;
}

}  // namespace graft::store
