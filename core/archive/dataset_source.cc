#include "core/archive/dataset_source.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/archive/file_tree.h"
#include "core/archive/layout.h"
#include "core/archive/manifest.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"

namespace graft::archive {
namespace {

// How many files an error lists.
constexpr size_t kListedMissing = 10;

absl::StatusOr<std::unique_ptr<FileTree>> OpenTree(const std::string& path, const SourceLimits& limits) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    return ResourceNotFound("folder or archive", path, "check the path");
  }
  if (std::filesystem::is_directory(status)) return OpenFolder(path, limits);
  if (std::filesystem::is_regular_file(status)) return OpenArchive(path, limits);
  return absl::InvalidArgumentError(absl::StrCat(path, ": neither a folder nor a file"));
}

absl::Status PathsAreUnique(const std::string& source, const std::vector<Entry>& entries) {
  const auto same_path = [](const Entry& a, const Entry& b) { return a.path == b.path; };
  const auto twice = std::adjacent_find(entries.begin(), entries.end(), same_path);
  if (twice == entries.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(source, ": ", twice->path, " is in it twice; pack it again with each file once"));
}

// Takes label, split and group of every entry from its row.
absl::Status ApplyManifest(const std::string& source, const Manifest& manifest, std::vector<Entry>& entries) {
  absl::flat_hash_set<absl::string_view> there;
  for (Entry& entry : entries) {
    const ManifestRow& row = *manifest.Find(entry.path);
    entry.label = row.label;
    entry.split = row.split;
    entry.group = row.group;
    there.insert(entry.path);
  }
  if (there.size() == manifest.rows().size()) return AtLeastTwoClasses(manifest.file(), entries);
  std::vector<std::string> missing;
  for (const ManifestRow& row : manifest.rows()) {
    if (there.contains(row.path)) continue;
    if (missing.size() == kListedMissing) {
      missing.push_back("...");
      break;
    }
    missing.push_back(absl::StrCat(row.path, " (line ", row.line, ")"));
  }
  return absl::InvalidArgumentError(absl::StrCat(manifest.file(), ": ", manifest.rows().size() - there.size(),
                                                 " of its ", manifest.rows().size(), " files are not in ", source, ": ",
                                                 absl::StrJoin(missing, ", ")));
}

}  // namespace

DatasetSource::DatasetSource(std::unique_ptr<FileTree> tree, std::vector<Entry> entries, int ignored_files)
    : tree_(std::move(tree)), entries_(std::move(entries)), ignored_files_(ignored_files) {}
DatasetSource::~DatasetSource() = default;
DatasetSource::DatasetSource(DatasetSource&&) noexcept = default;
DatasetSource& DatasetSource::operator=(DatasetSource&&) noexcept = default;

absl::StatusOr<DatasetSource> DatasetSource::Open(const std::string& path, const SourceLimits& limits,
                                                  const Manifest* manifest) {
  ASSIGN_OR_RETURN(std::unique_ptr<FileTree> tree, OpenTree(path, limits));
  std::vector<Entry> entries;
  int ignored_files = 0;
  const auto wants = [&](absl::string_view file) {
    if (manifest != nullptr ? manifest->Find(file) != nullptr : IsPhotoPath(file)) return true;
    ++ignored_files;
    return false;
  };
  RETURN_IF_ERROR(tree->ForEachFile(wants, [&](const std::string& file, std::string bytes) {
    entries.push_back({.path = file, .size = static_cast<int64_t>(bytes.size()), .sha256 = Sha256Hex(bytes)});
    return absl::OkStatus();
  }));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.path < b.path; });
  RETURN_IF_ERROR(PathsAreUnique(path, entries));
  RETURN_IF_ERROR(manifest != nullptr ? ApplyManifest(path, *manifest, entries) : AssignLabels(path, entries));
  return DatasetSource(std::move(tree), std::move(entries), ignored_files);
}

absl::Status DatasetSource::ForEachBlob(const absl::flat_hash_set<std::string>& wanted,
                                        const BlobCallback& callback) const {
  // The first of the files with the same bytes stands for all of them.
  absl::flat_hash_map<absl::string_view, absl::string_view> digest_of_path;
  absl::flat_hash_set<absl::string_view> covered;
  for (const Entry& entry : entries_) {
    if (!wanted.contains(entry.sha256) || !covered.insert(entry.sha256).second) continue;
    digest_of_path[entry.path] = entry.sha256;
  }
  size_t delivered = 0;
  const auto wants = [&](absl::string_view file) { return digest_of_path.contains(file); };
  const absl::Status read = tree_->ForEachFile(wants, [&](const std::string& file, std::string bytes) -> absl::Status {
    const absl::string_view digest = digest_of_path.at(file);
    if (Sha256Hex(bytes) != digest) return PreconditionFailed(file, "changed while it was sent; start again");
    ++delivered;
    return callback(digest, std::move(bytes));
  });
  RETURN_IF_ERROR(read);
  if (delivered == digest_of_path.size()) return absl::OkStatus();
  return PreconditionFailed("data set source", absl::StrCat(digest_of_path.size() - delivered,
                                                            " files went away while it was sent; start again"));
}

}  // namespace graft::archive
