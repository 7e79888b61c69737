// A folder of photos, or a zip or tar archive of one, as the files of a data set: which photo has which label.
//
//   animals/cat/1.jpg, animals/dog/2.jpg           one folder per class; wrapper folders (animals) are skipped
//   train/cat/1.jpg, test/cat/9.jpg                train|training, validation|val|valid, test|testing, in any case,
//                                                  are splits when nothing but splits lies beside them
//   cat/kittens/3.jpg                              deeper folders belong to their class (cat)
//
// Left out and counted: links, hidden files (.*), what systems leave behind (__MACOSX, Thumbs.db, desktop.ini) and
// files without a picture's extension. Pictures of formats that the server refuses (GIF, TIFF, HEIC) stay in, so that
// its report names them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::archive {

enum class Split { kNone, kTrain, kValidation, kTest };

struct Entry {
  std::string path;  // as in the folder or archive, '/' between parts
  std::string label;
  Split split = Split::kNone;
  std::string group;  // from a manifest; empty for none
  int64_t size = 0;   // bytes
  std::string sha256;
};

struct SourceLimits {
  int max_files = 200'000;  // of any kind
  int64_t max_file_bytes = 20 << 20;
  int64_t max_total_bytes = int64_t{20} << 30;    // inflated
  int max_ratio = 100;                            // inflated bytes per archive byte, once past ratio_from_bytes
  int64_t ratio_from_bytes = 64 << 20;            // small archives of flat pictures compress well and harm nobody
  int64_t max_archive_bytes = int64_t{10} << 30;  // as it is
  int max_depth = 8;                              // folders in folders
};

class FileTree;
class Manifest;

// One thread at a time.
class DatasetSource {
 public:
  // Reads everything once to learn the digests. NotFound if `path` is not there; InvalidArgument, naming the file and
  // what to do, if it is no folder and no zip, tar or tar.gz, is encrypted or damaged, holds absolute names or "..",
  // exceeds a limit, has pictures beside its class folders, no pictures, or fewer than two classes.
  //
  // With a manifest, its files are the data set, whatever the folders: label, split and group come from its rows, other
  // files are left out and counted. InvalidArgument naming listed files that are not there.
  static absl::StatusOr<DatasetSource> Open(const std::string& path, const SourceLimits& limits = {},
                                            const Manifest* manifest = nullptr);
  ~DatasetSource();
  DatasetSource(DatasetSource&&) noexcept;
  DatasetSource& operator=(DatasetSource&&) noexcept;

  const std::vector<Entry>& entries() const { return entries_; }  // by path
  int ignored_files() const { return ignored_files_; }

  // Reads again (an archive from its start) and hands each wanted digest's bytes on, once each, in no special order.
  // FailedPrecondition if a file changed or went away since Open; the callback's error ends it.
  using BlobCallback = std::function<absl::Status(absl::string_view sha256, std::string bytes)>;
  absl::Status ForEachBlob(const absl::flat_hash_set<std::string>& wanted, const BlobCallback& callback) const;

 private:
  DatasetSource(std::unique_ptr<FileTree> tree, std::vector<Entry> entries, int ignored_files);

  std::unique_ptr<FileTree> tree_;
  std::vector<Entry> entries_;
  int ignored_files_;
};

}  // namespace graft::archive
