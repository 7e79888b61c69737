#include "core/dataset/split.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/dataset/split_units.h"

namespace graft::dataset {
namespace {

// 0.7 * 10 must not be cut to 6.
constexpr double kRoundingSlack = 1e-9;

// What is to be cut from the examples that nobody assigned; a part that was given has no share.
absl::StatusOr<Shares> SharesToCut(const std::vector<Example>& examples, const SplitFractions& fractions) {
  bool validation_given = false;
  bool test_given = false;
  bool has_pool = false;
  for (const Example& example : examples) {
    validation_given |= example.given_split == Split::kValidation;
    test_given |= example.given_split == Split::kTest;
    has_pool |= example.given_split == Split::kTrain || example.given_split == Split::kUnspecified;
  }
  if (!has_pool)
    return InvalidField("spec.dataset", "all its photos were given to validation or test: none to train on");
  Shares shares = {test_given ? 0 : 1 - fractions.train - fractions.validation,
                   validation_given ? 0 : fractions.validation, fractions.train};
  const double sum = shares[0] + shares[1] + shares[2];
  for (double& share : shares) share /= sum;
  return shares;
}

// Cuts classes into whole numbers of images, one class after the other.
class Apportioner {
 public:
  explicit Apportioner(const Shares& shares) : shares_(shares) {}

  // Every part with a share gets at least one; `images` must suffice for that.
  Counts Cut(int images) {
    Counts counts{};
    int left = images;
    for (size_t part = 0; part < kParts.size(); ++part) {
      owed_[part] += images * shares_[part];
      counts[part] = static_cast<int>(std::floor(images * shares_[part] + kRoundingSlack));
      left -= counts[part];
    }
    for (const size_t part : FurthestBehind(counts)) {
      if (left == 0) break;
      ++counts[part];
      --left;
    }
    for (size_t part = 0; part < kParts.size(); ++part) {
      if (shares_[part] > 0 && counts[part] == 0) {
        ++counts[part];
        --*std::max_element(counts.begin(), counts.end());
      }
    }
    for (size_t part = 0; part < kParts.size(); ++part) owed_[part] -= counts[part];
    return counts;
  }

 private:
  // Ties go to train, then validation, as scikit-learn's sizes do.
  std::vector<size_t> FurthestBehind(const Counts& counts) const {
    std::vector<size_t> parts;
    for (const size_t part : {kTrainPart, size_t{1}, size_t{0}}) {
      if (shares_[part] > 0) parts.push_back(part);
    }
    // In millionths, so that rounding errors of doubles break no ties.
    const auto behind = [&](size_t part) { return std::llround((owed_[part] - counts[part]) * 1e6); };
    std::stable_sort(parts.begin(), parts.end(), [&](size_t a, size_t b) { return behind(a) > behind(b); });
    return parts;
  }

  const Shares shares_;
  Shares owed_{};  // exact shares of the classes so far, less what was given
};

std::vector<absl::string_view> InSeededOrder(const std::vector<absl::string_view>& digests, uint32_t seed) {
  std::vector<std::pair<std::string, absl::string_view>> keyed;
  keyed.reserve(digests.size());
  for (absl::string_view digest : digests) {
    keyed.emplace_back(Sha256Hex(absl::StrCat("graft-split-1\n", seed, "\n", digest)), digest);
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<absl::string_view> ordered;
  ordered.reserve(keyed.size());
  for (const auto& [key, digest] : keyed) ordered.push_back(digest);
  return ordered;
}

absl::Status CheckClassSize(const std::string& label, size_t images, const Shares& shares) {
  const auto parts = std::count_if(shares.begin(), shares.end(), [](double share) { return share > 0; });
  if (static_cast<std::ptrdiff_t>(images) >= parts) return absl::OkStatus();
  return InvalidField("spec.dataset",
                      absl::StrCat("class '", label, "' has ", images, " distinct photos to split, at least ", parts,
                                   " are needed for one in each of train, validation and test"));
}

// Distributes one class's distinct images. Those that an earlier class has assigned keep their side and count.
void AssignClass(const std::vector<absl::string_view>& images, Counts counts, Assignment& assignment) {
  for (absl::string_view image : images) {
    const auto found = assignment.find(image);
    if (found == assignment.end()) continue;
    for (size_t part = 0; part < kParts.size(); ++part) counts[part] -= found->second == kParts[part] ? 1 : 0;
  }
  size_t part = 0;
  for (absl::string_view image : images) {
    if (assignment.contains(image)) continue;
    while (part < kTrainPart && counts[part] <= 0) ++part;
    assignment.emplace(image, kParts[part]);
    --counts[part];
  }
}

// Those that are to be assigned.
std::vector<const Example*> PoolOf(const std::vector<Example>& examples) {
  std::vector<const Example*> pool;
  for (const Example& example : examples) {
    if (example.given_split == Split::kValidation || example.given_split == Split::kTest) continue;
    pool.push_back(&example);
  }
  return pool;
}

// Distinct images of each class.
std::vector<std::vector<absl::string_view>> ByClass(const std::vector<const Example*>& pool, size_t classes) {
  std::vector<std::vector<absl::string_view>> images(classes);
  absl::flat_hash_set<std::pair<int, absl::string_view>> seen;
  for (const Example* example : pool) {
    if (seen.emplace(example->label, example->sha256).second) images[example->label].push_back(example->sha256);
  }
  return images;
}

// The examples with the test fold as their given test split.
absl::StatusOr<std::vector<Example>> WithTestFold(std::vector<Example> examples, const std::vector<std::string>& labels,
                                                  uint32_t seed, const Folds& folds) {
  const auto is_test = [](const Example& example) { return example.given_split == Split::kTest; };
  if (std::any_of(examples.begin(), examples.end(), is_test)) {
    return InvalidField("spec.folds",
                        "the data set has a test split of its own, which folds would replace; leave them out");
  }
  const std::vector<const Example*> pool = PoolOf(examples);
  const std::vector<SplitUnit> units = SplitUnits(pool);
  ASSIGN_OR_RETURN(const auto fold_of, DealFolds(units, labels, folds.count, seed));
  std::vector<bool> in_test;
  for (const Example& example : examples) {
    const auto found = fold_of.find(example.sha256);
    in_test.push_back(example.given_split != Split::kValidation && found != fold_of.end() &&
                      found->second == folds.test);
  }
  for (size_t i = 0; i < examples.size(); ++i) {
    if (in_test[i]) examples[i].given_split = Split::kTest;
  }
  return examples;
}

}  // namespace

absl::Status CheckFractions(const SplitFractions& fractions) {
  if (!(fractions.train > 0 && fractions.train < 1)) {
    return InvalidField("spec.train_fraction", absl::StrCat(fractions.train, " is not between 0 and 1"));
  }
  if (!(fractions.validation > 0 && fractions.validation < 1)) {
    return InvalidField("spec.validation_fraction", absl::StrCat(fractions.validation, " is not between 0 and 1"));
  }
  if (fractions.train + fractions.validation >= 1 - kRoundingSlack) {
    return InvalidField(
        "spec.validation_fraction",
        absl::StrCat("train_fraction ", fractions.train, " and validation_fraction ", fractions.validation,
                     " leave nothing for the test split: their sum must be below 1"));
  }
  return absl::OkStatus();
}

absl::Status CheckFolds(const Folds& folds) {
  if (folds.count == 0 && folds.test == 0) return absl::OkStatus();
  if (folds.count < 2 || folds.count > kMaxFolds) {
    return InvalidField("spec.folds", absl::StrCat(folds.count, " is out of range: use 2 to ", kMaxFolds));
  }
  if (folds.test >= 1 && folds.test <= folds.count) return absl::OkStatus();
  return InvalidField("spec.fold", absl::StrCat(folds.test, " is out of range: say which of the ", folds.count,
                                                " folds is the test split, 1 to ", folds.count));
}

absl::StatusOr<std::vector<Split>> AssignSplits(const std::vector<Example>& examples,
                                                const std::vector<std::string>& labels, const SplitFractions& fractions,
                                                uint32_t seed, const Folds& folds) {
  RETURN_IF_ERROR(CheckFractions(fractions));
  RETURN_IF_ERROR(CheckFolds(folds));
  if (folds.count > 0) {
    ASSIGN_OR_RETURN(const std::vector<Example> with_test, WithTestFold(examples, labels, seed, folds));
    return AssignSplits(with_test, labels, fractions, seed);
  }
  ASSIGN_OR_RETURN(const Shares shares, SharesToCut(examples, fractions));
  const std::vector<const Example*> pool = PoolOf(examples);
  const std::vector<std::vector<absl::string_view>> images = ByClass(pool, labels.size());
  Apportioner apportioner(shares);
  std::vector<Counts> counts;
  for (size_t label = 0; label < labels.size(); ++label) {
    RETURN_IF_ERROR(CheckClassSize(labels[label], images[label].size(), shares));
    counts.push_back(apportioner.Cut(static_cast<int>(images[label].size())));
  }
  Assignment assignment;
  const std::vector<SplitUnit> units = SplitUnits(pool);
  if (std::any_of(units.begin(), units.end(), [](const SplitUnit& unit) { return unit.images.size() > 1; })) {
    ASSIGN_OR_RETURN(assignment,
                     DealUnits({.units = units, .labels = labels, .counts = counts, .shares = shares, .seed = seed}));
  } else {
    for (size_t label = 0; label < labels.size(); ++label) {
      AssignClass(InSeededOrder(images[label], seed), counts[label], assignment);
    }
  }
  std::vector<Split> splits;
  splits.reserve(examples.size());
  for (const Example& example : examples) {
    const bool given = example.given_split == Split::kValidation || example.given_split == Split::kTest;
    splits.push_back(given ? example.given_split : assignment.at(example.sha256));
  }
  return splits;
}

std::string HashOfSplit(const std::vector<Example>& examples, const std::vector<Split>& assignment) {
  Sha256 sha;
  for (size_t i = 0; i < examples.size(); ++i) {
    const absl::string_view nul("\0", 1);
    sha.Update(absl::StrCat(examples[i].path, nul, examples[i].sha256, nul, static_cast<int>(assignment[i]), "\n"));
  }
  return sha.HexDigest();
}

std::string HashOfTestSplit(const std::vector<Example>& examples, const std::vector<std::string>& labels,
                            const SplitIndices& split) {
  Sha256 sha;
  for (const int index : split.test) {
    const Example& example = examples[index];
    const absl::string_view nul("\0", 1);
    sha.Update(absl::StrCat(example.path, nul, example.sha256, nul, labels[example.label], "\n"));
  }
  return sha.HexDigest();
}

}  // namespace graft::dataset
