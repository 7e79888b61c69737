// Assigns examples to train, validation and test: stratified, seeded, the same on every machine.
//
// Method "graft-split-1". Per class, the distinct images are ordered by SHA-256("graft-split-1", seed, image digest),
// so the order depends on no library's shuffle. The first go to test, the next to validation, the rest to train. Every
// class is cut to within one image of its exact share; what rounding leaves over goes to the part that is furthest
// behind over the classes so far (largest remainder, carried on), so that the parts' totals stay near their shares too:
// for 70/15/15 within a few images of what scikit-learn's stratified train_test_split gives. Files with the same bytes
// are on one side, also across classes.
//
// Method "graft-split-2", where different images belong together (Example::cluster, Example::group): the same counts,
// but near duplicates and groups stay on one side (core/dataset/split_units); a class is off its counts by at most what
// its largest units force. Without such units the method is the first, so that splits of data sets without them never
// changed.
// Folds ("graft-folds-1") are dealt unit by unit, as the second method has them: those of several images first, the
// largest before the others, then by SHA-256("graft-folds-1", seed, image digest), each to the fold that has fewest
// images of its classes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/dataset/dataset.h"

namespace graft::dataset {

struct SplitFractions {
  double train = 0.7;
  double validation = 0.15;  // the rest is test
};

// k-fold cross-validation: the examples are dealt into `count` folds, which depend on the seed alone; fold `test` is
// the test part, and the others are divided between train and validation in the ratio of the fractions.
struct Folds {
  int count = 0;  // 2 to kMaxFolds; 0 for none
  int test = 0;   // 1 to count; 0 for none
};
inline constexpr int kMaxFolds = 100;

// InvalidField("spec.folds" or "spec.fold") unless they are in range.
absl::Status CheckFolds(const Folds& folds);

// InvalidField("spec.train_fraction" or "spec.validation_fraction") unless each is above 0 and their sum below 1.
absl::Status CheckFractions(const SplitFractions& fractions);

// One part for each example, none of them kUnspecified. Given splits stay; where no example was given to validation
// or to test, that part is taken from train, in the ratio of the fractions. InvalidField("spec.dataset") naming a class
// that has too few distinct images to give every part one; InvalidField("spec.folds") where a test split was given to
// be kept. `labels` are the names for errors.
absl::StatusOr<std::vector<Split>> AssignSplits(const std::vector<Example>& examples,
                                                const std::vector<std::string>& labels, const SplitFractions& fractions,
                                                uint32_t seed, const Folds& folds = {});

// SHA-256 over (path, image digest, part) of every example.
std::string HashOfSplit(const std::vector<Example>& examples, const std::vector<Split>& assignment);

// SHA-256 over (path, image digest, label) of the test photos: equal hash, equal test, also between versions of a data
// set. `labels` are the names.
std::string HashOfTestSplit(const std::vector<Example>& examples, const std::vector<std::string>& labels,
                            const SplitIndices& split);

}  // namespace graft::dataset
