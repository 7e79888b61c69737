#include "core/dataset/split_units.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/dataset/disjoint_sets.h"

namespace graft::dataset {
namespace {

constexpr size_t kUnassigned = kParts.size();

struct KeyedUnit {
  std::string key;
  size_t unit;
};

// Largest first, equal ones by SHA-256(method, seed, first image).
std::vector<KeyedUnit> InSeededOrder(const std::vector<SplitUnit>& units, absl::string_view method, uint32_t seed) {
  std::vector<KeyedUnit> order;
  order.reserve(units.size());
  for (size_t unit = 0; unit < units.size(); ++unit) {
    order.push_back({Sha256Hex(absl::StrCat(method, "\n", seed, "\n", units[unit].images.front())), unit});
  }
  std::sort(order.begin(), order.end(), [&](const KeyedUnit& a, const KeyedUnit& b) {
    const size_t size_a = units[a.unit].images.size(), size_b = units[b.unit].images.size();
    return size_a != size_b ? size_a > size_b : a.key < b.key;
  });
  return order;
}

class Dealer {
 public:
  explicit Dealer(const UnitsToDeal& deal)
      : deal_(deal),
        room_(deal.counts),
        held_(deal.labels.size(), Counts{}),
        units_of_(deal.labels.size()),
        part_of_(deal.units.size(), kUnassigned),
        order_(InSeededOrder(deal.units, "graft-split-2", deal.seed)) {
    for (size_t unit = 0; unit < deal.units.size(); ++unit) {
      for (const auto& [label, images] : deal.units[unit].images_per_label) {
        units_of_[static_cast<size_t>(label)].push_back(unit);
      }
    }
  }

  absl::StatusOr<Assignment> Run() {
    for (const KeyedUnit& keyed : order_) {
      if (deal_.units[keyed.unit].images.size() > 1) Put(keyed.unit, PartFor(keyed));
    }
    DealSingles();
    for (size_t label = 0; label < deal_.labels.size(); ++label) RETURN_IF_ERROR(FillEveryPart(label));
    Assignment assignment;
    for (size_t unit = 0; unit < part_of_.size(); ++unit) {
      for (const absl::string_view image : deal_.units[unit].images) assignment.emplace(image, kParts[part_of_[unit]]);
    }
    return assignment;
  }

 private:
  void Put(size_t unit, size_t part) {
    const auto add = [&](size_t to, int sign) {
      for (const auto& [label, images] : deal_.units[unit].images_per_label) {
        room_[static_cast<size_t>(label)][to] -= sign * images;
        held_[static_cast<size_t>(label)][to] += sign;
      }
    };
    if (part_of_[unit] != kUnassigned) add(part_of_[unit], -1);
    part_of_[unit] = part;
    add(part, 1);
  }

  // What would be left of the label that has least left; below 0 if the unit does not fit.
  int RoomAfter(size_t unit, size_t part) const {
    int least = std::numeric_limits<int>::max();
    for (const auto& [label, images] : deal_.units[unit].images_per_label) {
      least = std::min(least, room_[static_cast<size_t>(label)][part] - images);
    }
    return least;
  }

  size_t PartFor(const KeyedUnit& keyed) const {
    uint32_t bits = 0;
    const bool is_hex = absl::SimpleHexAtoi(keyed.key.substr(0, 8), &bits);
    double draw = is_hex ? bits / 4294967296.0 : 0;
    size_t drawn = kTrainPart;
    for (size_t part = 0; part < kTrainPart; ++part) {
      if (draw < deal_.shares[part]) {
        drawn = part;
        break;
      }
      draw -= deal_.shares[part];
    }
    if (RoomAfter(keyed.unit, drawn) >= 0) return drawn;
    size_t best = kTrainPart;
    for (size_t part = 0; part < kTrainPart; ++part) {
      if (deal_.shares[part] > 0 && RoomAfter(keyed.unit, part) > RoomAfter(keyed.unit, best)) best = part;
    }
    return best;
  }

  void DealSingles() {
    std::vector<std::vector<size_t>> singles(deal_.labels.size());
    for (const KeyedUnit& keyed : order_) {
      if (part_of_[keyed.unit] != kUnassigned) continue;
      singles[static_cast<size_t>(deal_.units[keyed.unit].images_per_label.begin()->first)].push_back(keyed.unit);
    }
    for (size_t label = 0; label < singles.size(); ++label) {
      size_t part = 0;
      for (const size_t unit : singles[label]) {
        while (part < kTrainPart && room_[label][part] <= 0) ++part;
        Put(unit, part);
      }
    }
  }

  std::optional<size_t> EmptyPart(size_t label) const {
    for (size_t part = 0; part < kParts.size(); ++part) {
      if (deal_.shares[part] > 0 && held_[label][part] == 0) return part;
    }
    return std::nullopt;
  }

  // No class would be left without a unit in its part.
  bool CanBeMoved(size_t unit) const {
    return std::all_of(deal_.units[unit].images_per_label.begin(), deal_.units[unit].images_per_label.end(),
                       [&](const auto& item) { return held_[static_cast<size_t>(item.first)][part_of_[unit]] > 1; });
  }

  absl::Status FillEveryPart(size_t label) {
    while (const std::optional<size_t> empty = EmptyPart(label)) {
      std::optional<size_t> smallest;
      for (const size_t unit : units_of_[label]) {
        const bool smaller = !smallest || deal_.units[unit].images.size() < deal_.units[*smallest].images.size();
        if (smaller && CanBeMoved(unit)) smallest = unit;
      }
      if (!smallest) return TooFewUnits(label);
      Put(*smallest, *empty);
    }
    return absl::OkStatus();
  }

  absl::Status TooFewUnits(size_t label) const {
    return InvalidField(
        "spec.dataset",
        absl::StrCat(
            "class '", deal_.labels[label], "' has photos of only ", units_of_[label].size(),
            " different things to split, because near duplicates and groups stay together: too few for one in each of "
            "train, validation and test"));
  }

  const UnitsToDeal& deal_;
  std::vector<Counts> room_;                   // by label: images that may still come to each part
  std::vector<Counts> held_;                   // by label: units in each part
  std::vector<std::vector<size_t>> units_of_;  // by label
  std::vector<size_t> part_of_;
  const std::vector<KeyedUnit> order_;
};

}  // namespace

std::vector<SplitUnit> SplitUnits(absl::Span<const Example* const> examples) {
  std::vector<absl::string_view> images;
  absl::flat_hash_map<absl::string_view, size_t> number_of;
  for (const Example* example : examples) {
    if (number_of.emplace(example->sha256, images.size()).second) images.push_back(example->sha256);
  }
  DisjointSets sets(images.size());
  absl::flat_hash_map<int, size_t> first_of_cluster;
  absl::flat_hash_map<absl::string_view, size_t> first_of_group;
  for (const Example* example : examples) {
    const size_t number = number_of[example->sha256];
    if (example->cluster != 0) sets.Join(number, first_of_cluster.emplace(example->cluster, number).first->second);
    if (!example->group.empty()) sets.Join(number, first_of_group.emplace(example->group, number).first->second);
  }
  std::vector<SplitUnit> units;
  absl::flat_hash_map<size_t, size_t> unit_of_set;
  std::vector<size_t> unit_of(images.size());
  for (size_t number = 0; number < images.size(); ++number) {
    const auto [found, is_new] = unit_of_set.emplace(sets.Find(number), units.size());
    if (is_new) units.emplace_back();
    unit_of[number] = found->second;
    units[found->second].images.push_back(images[number]);
  }
  for (SplitUnit& unit : units) std::sort(unit.images.begin(), unit.images.end());
  absl::flat_hash_set<std::pair<size_t, int>> counted;  // image and label
  for (const Example* example : examples) {
    const size_t number = number_of[example->sha256];
    if (counted.emplace(number, example->label).second) {
      ++units[unit_of[number]].images_per_label[example->label];
    }
  }
  return units;
}

absl::StatusOr<absl::flat_hash_map<absl::string_view, int>> DealFolds(const std::vector<SplitUnit>& units,
                                                                      const std::vector<std::string>& labels, int folds,
                                                                      uint32_t seed) {
  std::vector<int> units_of_label(labels.size(), 0);
  for (const SplitUnit& unit : units) {
    for (const auto& [label, images] : unit.images_per_label) ++units_of_label[static_cast<size_t>(label)];
  }
  for (size_t label = 0; label < labels.size(); ++label) {
    if (units_of_label[label] >= folds) continue;
    return InvalidField("spec.folds",
                        absl::StrCat("class '", labels[label], "' has photos of only ", units_of_label[label],
                                     " different things, near duplicates and groups ",
                                     "counted once: too few for one in each of ", folds, " folds"));
  }
  const size_t count = static_cast<size_t>(folds);
  std::vector<std::vector<int>> images_in(labels.size(), std::vector<int>(count, 0));  // by label and fold
  std::vector<size_t> total_in(count, 0);
  absl::flat_hash_map<absl::string_view, int> fold_of;
  for (const KeyedUnit& keyed : InSeededOrder(units, "graft-folds-1", seed)) {
    const SplitUnit& unit = units[keyed.unit];
    // Images of its classes there, then of all, so that what is left over of many classes spreads out.
    const auto load = [&](size_t fold) {
      int of_its_classes = 0;
      for (const auto& [label, images] : unit.images_per_label) {
        of_its_classes += images_in[static_cast<size_t>(label)][fold];
      }
      return std::pair(of_its_classes, total_in[fold]);
    };
    size_t least = 0;
    for (size_t fold = 1; fold < count; ++fold) {
      if (load(fold) < load(least)) least = fold;
    }
    for (const auto& [label, images] : unit.images_per_label) images_in[static_cast<size_t>(label)][least] += images;
    total_in[least] += unit.images.size();
    for (const absl::string_view image : unit.images) fold_of.emplace(image, static_cast<int>(least) + 1);
  }
  return fold_of;
}

absl::StatusOr<Assignment> DealUnits(const UnitsToDeal& deal) {
  return Dealer(deal).Run();
}

}  // namespace graft::dataset
