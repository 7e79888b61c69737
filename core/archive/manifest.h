// A list of photos with their labels, in place of one folder per class.
//
//   CSV (RFC 4180), the first line names the columns        JSONL (.jsonl or .ndjson), one object a line
//     path,label,split,group                                  {"path": "1.jpg", "label": "cat", "group": "cow 7"}
//     1.jpg,cat,train,cow 7
//
// path is relative to the folder or archive, '/' between parts. split (train, validation or test, as folders are named;
// empty for none) and group are optional: photos of one group stay on one side of a split.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/archive/dataset_source.h"

namespace graft::archive {

struct ManifestRow {
  std::string path, label, group;
  Split split = Split::kNone;
  int line = 0;  // of the file, from 1
};

// Immutable.
class Manifest {
 public:
  // NotFound if the file is not there; else InvalidArgument naming file, line and what to do: unknown, missing or
  // double columns, a row with another number of fields, broken quotes or JSON, an empty, absolute or "..", path, one
  // listed twice, no label, an unknown split, more than limits.max_files rows, no rows.
  static absl::StatusOr<Manifest> Read(const std::string& file, const SourceLimits& limits = {});

  // nullptr for a file that is not listed.
  const ManifestRow* Find(absl::string_view path) const;
  const std::vector<ManifestRow>& rows() const { return rows_; }
  const std::string& file() const { return file_; }

 private:
  Manifest(std::string file, std::vector<ManifestRow> rows);

  std::string file_;
  std::vector<ManifestRow> rows_;
  absl::flat_hash_map<std::string, size_t> row_of_path_;
};

}  // namespace graft::archive
