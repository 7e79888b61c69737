#include "core/features/feature_space.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"

namespace graft::features {
namespace {

namespace fs = std::filesystem;

constexpr char kKeyFile[] = "key.txt";
constexpr char kFeatureFileExtension[] = ".features";

absl::Status FolderError(absl::string_view doing, const std::string& path, const std::error_code& error) {
  return absl::ErrnoToStatus(error.value(), absl::StrCat(doing, " ", path));
}

absl::StatusOr<std::vector<std::string>> FeatureFilesIn(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == kFeatureFileExtension) paths.push_back(entry->path().string());
  }
  if (error) return FolderError("list", folder, error);
  return paths;
}

struct SpaceOnDisk {
  std::string folder;
  fs::file_time_type used;
  int64_t bytes = 0;
};

// Another process may be deleting or writing here: what is gone counts as nothing.
SpaceOnDisk Measure(const fs::path& folder) {
  std::error_code gone;
  SpaceOnDisk space{.folder = folder.string()};
  space.used = fs::last_write_time(folder / kKeyFile, gone);
  if (gone) space.used = fs::file_time_type::min();
  for (fs::directory_iterator entry(folder, gone), end; !gone && entry != end; entry.increment(gone)) {
    const auto size = entry->file_size(gone);
    if (!gone) space.bytes += static_cast<int64_t>(size);
  }
  return space;
}

absl::StatusOr<std::vector<SpaceOnDisk>> SpacesByLastUse(const std::string& root) {
  std::vector<SpaceOnDisk> spaces;
  std::error_code error;
  for (fs::directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->is_directory()) spaces.push_back(Measure(entry->path()));
  }
  if (error) return FolderError("list", root, error);
  std::sort(spaces.begin(), spaces.end(), [](const SpaceOnDisk& a, const SpaceOnDisk& b) { return a.used < b.used; });
  return spaces;
}

}  // namespace

FeatureSpace::FeatureSpace(const std::string& root, const SpaceKey& key)
    : key_(key), folder_(absl::StrCat(root, "/", FolderNameOf(key))) {}

absl::Status FeatureSpace::MarkUsed() const {
  const std::string path = absl::StrCat(folder_, "/", kKeyFile);
  std::error_code error;
  fs::last_write_time(path, fs::file_time_type::clock::now(), error);
  if (!error) return absl::OkStatus();
  RETURN_IF_ERROR(CreateFolders(folder_));
  return WriteFileDurably(path, TextOf(key_));
}

bool FeatureSpace::Evicted() const {
  return std::any_of(files_.begin(), files_.end(), [](const auto& file) { return !fs::exists(file.first); });
}

absl::Status FeatureSpace::IndexFile(const std::string& path) {
  File& file = files_[path];
  if (file.reader == nullptr) {
    absl::StatusOr<std::unique_ptr<FeatureFileReader>> reader = FeatureFileReader::Open(path, key_.dimension);
    // A crash may have left a file without its header: it holds nothing.
    if (absl::IsDataLoss(reader.status())) return absl::OkStatus();
    RETURN_IF_ERROR(reader.status());
    file.reader = *std::move(reader);
  }
  ASSIGN_OR_RETURN(const int64_t count, file.reader->Count());
  RETURN_IF_ERROR(file.reader->Scan(file.indexed, [&](int64_t record, const Digest& digest) {
    index_.insert_or_assign(digest, Location{file.reader.get(), record});
  }));
  file.indexed = count;
  return absl::OkStatus();
}

absl::Status FeatureSpace::Refresh() {
  if (Evicted()) {  // by another process
    writer_.reset();
    index_.clear();
    files_.clear();
  }
  RETURN_IF_ERROR(MarkUsed());
  ASSIGN_OR_RETURN(const std::vector<std::string> paths, FeatureFilesIn(folder_));
  for (const std::string& path : paths) RETURN_IF_ERROR(IndexFile(path));
  return absl::OkStatus();
}

bool FeatureSpace::Read(const Digest& digest, absl::Span<float> values) {
  const auto found = index_.find(digest);
  if (found == index_.end()) return false;
  if (found->second.reader->Read(found->second.record, values).ok()) return true;
  index_.erase(found);
  return false;
}

absl::Status FeatureSpace::Add(const Digest& digest, absl::Span<const float> values) {
  if (writer_ == nullptr) {
    const std::string path = absl::StrCat(folder_, "/", NewId(), kFeatureFileExtension);
    ASSIGN_OR_RETURN(writer_, FeatureFileWriter::Create(path, key_.dimension));
    RETURN_IF_ERROR(SyncFolder(folder_));
  }
  writer_->Add(digest, values);
  return absl::OkStatus();
}

absl::Status FeatureSpace::Flush() {
  if (writer_ == nullptr) return absl::OkStatus();
  const absl::Status status = writer_->Flush();
  // Half a record may be in the file now: what comes later goes to a new one.
  if (!status.ok()) writer_.reset();
  return status;
}

absl::Status EvictSpaces(const std::string& root, const std::string& kept, int64_t reserve_bytes, int64_t max_bytes) {
  ASSIGN_OR_RETURN(const std::vector<SpaceOnDisk> spaces, SpacesByLastUse(root));
  int64_t total_bytes = reserve_bytes;
  for (const SpaceOnDisk& space : spaces) total_bytes += space.bytes;
  for (const SpaceOnDisk& space : spaces) {
    if (total_bytes <= max_bytes) break;
    if (fs::path(space.folder).filename() == fs::path(kept).filename()) continue;
    std::error_code error;
    fs::remove_all(space.folder, error);
    if (error) return FolderError("delete", space.folder, error);
    total_bytes -= space.bytes;
  }
  return absl::OkStatus();
}

}  // namespace graft::features
