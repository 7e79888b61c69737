// What stays on one side of a split, and how such units are dealt out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/dataset/dataset.h"

namespace graft::dataset {

// One number for each part, in the order test, validation, train: the order in which parts are filled.
inline constexpr std::array<Split, 3> kParts = {Split::kTest, Split::kValidation, Split::kTrain};
inline constexpr size_t kTrainPart = 2;
using Shares = std::array<double, 3>;
using Counts = std::array<int, 3>;
using Assignment = absl::flat_hash_map<absl::string_view, Split>;  // by image digest

// Files with the same bytes, of one cluster of duplicates or of one given group, and whatever these connect.
struct SplitUnit {
  std::vector<absl::string_view> images;  // distinct digests, sorted; never empty
  std::map<int, int> images_per_label;    // an image under two labels counts for both
};

// In the order of their first images; views into `examples`.
std::vector<SplitUnit> SplitUnits(absl::Span<const Example* const> examples);

struct UnitsToDeal {
  const std::vector<SplitUnit>& units;
  const std::vector<std::string>& labels;
  const std::vector<Counts>& counts;  // images of each label that each part is to have
  const Shares& shares;               // of the parts, sum 1; a part without a share gets nothing
  uint32_t seed = 0;
};

// Units of several images first, the largest before the others, each to a part drawn in the ratio of the shares, or, if
// it is too large for what is left there, to the part with most room; then the single images fill the parts to their
// counts, class by class, in the order of SHA-256("graft-split-2", seed, image digest), which draws too. A class that
// came out without an image in a part gets its smallest unit there. InvalidField("spec.dataset") naming a class with
// too few units.
absl::StatusOr<Assignment> DealUnits(const UnitsToDeal& deal);

// The fold, from 1 to `folds`, of each image digest; see core/dataset/split.h. InvalidField("spec.folds") naming a
// class with fewer units than folds.
absl::StatusOr<absl::flat_hash_map<absl::string_view, int>> DealFolds(const std::vector<SplitUnit>& units,
                                                                      const std::vector<std::string>& labels, int folds,
                                                                      uint32_t seed);

}  // namespace graft::dataset
