#include "core/dataset/near_duplicates.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/dataset/disjoint_sets.h"

namespace graft::dataset {
namespace {

constexpr int kQuarters = 4;
constexpr int kQuarterBits = 16;
constexpr int kNone = -1;

uint32_t QuarterOf(uint64_t hash, int quarter) {
  return static_cast<uint32_t>(hash >> quarter * kQuarterBits & 0xFFFF);
}

// Lists of pictures by each quarter of their hash, latest first.
class HashIndex {
 public:
  explicit HashIndex(size_t pictures) {
    for (auto& heads : heads_) heads.assign(size_t{1} << kQuarterBits, kNone);
    for (auto& next : next_) next.assign(pictures, kNone);
  }

  void Add(int picture, uint64_t hash) {
    for (int quarter = 0; quarter < kQuarters; ++quarter) {
      int& head = heads_[static_cast<size_t>(quarter)][QuarterOf(hash, quarter)];
      next_[static_cast<size_t>(quarter)][static_cast<size_t>(picture)] = head;
      head = picture;
    }
  }

  // Calls visit(picture) for those with a quarter like this hash's but for at most one bit, some more than once, until
  // it says no.
  template <typename Visit>
  void ForEachCandidate(uint64_t hash, Visit visit) const {
    for (int quarter = 0; quarter < kQuarters; ++quarter) {
      const uint32_t key = QuarterOf(hash, quarter);
      if (!ForEachIn(quarter, key, visit)) return;
      for (int bit = 0; bit < kQuarterBits; ++bit) {
        if (!ForEachIn(quarter, key ^ uint32_t{1} << bit, visit)) return;
      }
    }
  }

 private:
  template <typename Visit>
  bool ForEachIn(int quarter, uint32_t key, Visit visit) const {
    const auto& next = next_[static_cast<size_t>(quarter)];
    for (int at = heads_[static_cast<size_t>(quarter)][key]; at != kNone; at = next[static_cast<size_t>(at)]) {
      if (!visit(at)) return false;
    }
    return true;
  }

  std::array<std::vector<int>, kQuarters> heads_;
  std::array<std::vector<int>, kQuarters> next_;
};

class Search {
 public:
  Search(absl::Span<const image::Fingerprint* const> pictures, const NearDuplicateOptions& options)
      : pictures_(pictures),
        options_(options),
        index_(pictures.size()),
        seen_by_(pictures.size(), 0),
        sets_(pictures.size()) {}

  NearDuplicates Run() {
    for (int picture = 0; picture < static_cast<int>(pictures_.size()); ++picture) {
      if (image::Contrast(At(picture).thumbnail) < options_.min_contrast) {
        ++result_.without_contrast;
        continue;
      }
      // A picture with the hash of one that it is like adds nothing: what is near it is near that one.
      if (!Compare(picture)) index_.Add(picture, At(picture).hash);
    }
    for (size_t i = 0; i < pictures_.size(); ++i) result_.first_like.push_back(static_cast<int>(sets_.Find(i)));
    return std::move(result_);
  }

 private:
  const image::Fingerprint& At(int picture) const { return *pictures_[static_cast<size_t>(picture)]; }

  // With those before it. True if one of them is like it and has its hash.
  bool Compare(int picture) {
    int left = options_.max_comparisons;
    bool same_hash = false;
    for (image::Turn turn = 0; turn < image::kTurns && left > 0; ++turn) {
      ++lookup_;
      const uint64_t hash = image::TurnedHash(At(picture).hash, turn);
      index_.ForEachCandidate(hash, [&](int other) {
        int64_t& seen_by = seen_by_[static_cast<size_t>(other)];
        if (seen_by == lookup_) return true;
        seen_by = lookup_;
        same_hash |= JoinIfAlike(picture, other, hash, turn);
        return --left > 0;
      });
    }
    if (left <= 0) ++result_.cut_short;
    return same_hash;
  }

  bool JoinIfAlike(int picture, int other, uint64_t hash, image::Turn turn) {
    const int distance = std::popcount(hash ^ At(other).hash);
    if (distance > options_.max_hash_distance) return false;
    const bool joined = sets_.Find(static_cast<size_t>(picture)) == sets_.Find(static_cast<size_t>(other));
    if (joined && distance > 0) return false;
    const image::Likeness likeness = image::Compare(At(other).thumbnail, At(picture).thumbnail, turn);
    if (likeness.correlation < options_.min_correlation) return false;
    if (likeness.chroma_difference > options_.max_chroma_difference) return false;
    sets_.Join(static_cast<size_t>(picture), static_cast<size_t>(other));
    return distance == 0;
  }

  const absl::Span<const image::Fingerprint* const> pictures_;
  const NearDuplicateOptions options_;
  HashIndex index_;
  int64_t lookup_ = 0;
  std::vector<int64_t> seen_by_;  // the lookup that saw this picture last
  DisjointSets sets_;
  NearDuplicates result_;
};

}  // namespace

NearDuplicates FindNearDuplicates(absl::Span<const image::Fingerprint* const> pictures,
                                  const NearDuplicateOptions& options) {
  return Search(pictures, options).Run();
}

}  // namespace graft::dataset
