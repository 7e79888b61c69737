// What changed between two versions, file by file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/dataset/dataset.h"

namespace graft::dataset {

struct DiffSide {
  const std::vector<Example>& examples;  // by path
  const std::vector<std::string>& labels;
};

// Positions of a file in both versions; at least one is set, and something about it differs.
struct Change {
  std::optional<size_t> before, after;
  bool replaced = false;     // other bytes at the same path
  bool renamed = false;      // the same bytes at another path
  bool relabelled = false;   // also when the label's folder is part of its path
  bool moved_split = false;  // of the given splits
  bool regrouped = false;
};

struct Diff {
  std::vector<Change> changes;  // by the path after, or before where there is none after
  int added = 0, removed = 0, unchanged = 0;
  int replaced = 0, renamed = 0, relabelled = 0, moved_split = 0, regrouped = 0;  // one file may count in several
};

// Files are paired by path, those that are left by their bytes, in the order of their paths. Quarantined files are in
// no version. Linear in the number of files.
Diff DiffVersions(const DiffSide& before, const DiffSide& after);

}  // namespace graft::dataset
