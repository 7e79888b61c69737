#include "core/dataset/diff.h"

#include <algorithm>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace graft::dataset {
namespace {

class Differ {
 public:
  Differ(const DiffSide& before, const DiffSide& after) : before_(before), after_(after) {}

  Diff Run() {
    PairByPath();
    PairByBytes();
    for (const size_t file : only_before_) Add({.before = file});
    std::stable_sort(diff_.changes.begin(), diff_.changes.end(),
                     [this](const Change& a, const Change& b) { return PathOf(a) < PathOf(b); });
    return std::move(diff_);
  }

 private:
  const std::string& PathOf(const Change& change) const {
    return change.after ? after_.examples[*change.after].path : before_.examples[*change.before].path;
  }

  void PairByPath() {
    size_t a = 0, b = 0;
    while (a < before_.examples.size() || b < after_.examples.size()) {
      const bool has_both = a < before_.examples.size() && b < after_.examples.size();
      const int order =
          has_both ? before_.examples[a].path.compare(after_.examples[b].path) : (a < before_.examples.size() ? -1 : 1);
      if (order < 0) {
        only_before_.push_back(a++);
      } else if (order > 0) {
        only_after_.push_back(b++);
      } else {
        Compare(a++, b++);
      }
    }
  }

  void PairByBytes() {
    absl::flat_hash_map<absl::string_view, std::deque<size_t>> left;
    for (const size_t file : only_before_) left[before_.examples[file].sha256].push_back(file);
    std::vector<bool> paired(before_.examples.size(), false);
    for (const size_t file : only_after_) {
      const auto found = left.find(after_.examples[file].sha256);
      if (found == left.end() || found->second.empty()) {
        Add({.after = file});
        continue;
      }
      paired[found->second.front()] = true;
      Compare(found->second.front(), file);
      found->second.pop_front();
    }
    only_before_.erase(std::remove_if(only_before_.begin(), only_before_.end(), [&](size_t i) { return paired[i]; }),
                       only_before_.end());
  }

  void Compare(size_t a, size_t b) {
    const Example& before = before_.examples[a];
    const Example& after = after_.examples[b];
    Add({.before = a,
         .after = b,
         .replaced = before.sha256 != after.sha256,
         .renamed = before.path != after.path,
         .relabelled =
             before_.labels[static_cast<size_t>(before.label)] != after_.labels[static_cast<size_t>(after.label)],
         .moved_split = before.given_split != after.given_split,
         .regrouped = before.group != after.group});
  }

  void Add(const Change& change) {
    diff_.added += change.before ? 0 : 1;
    diff_.removed += change.after ? 0 : 1;
    diff_.replaced += change.replaced ? 1 : 0;
    diff_.renamed += change.renamed ? 1 : 0;
    diff_.relabelled += change.relabelled ? 1 : 0;
    diff_.moved_split += change.moved_split ? 1 : 0;
    diff_.regrouped += change.regrouped ? 1 : 0;
    const bool differs =
        change.replaced || change.renamed || change.relabelled || change.moved_split || change.regrouped;
    if (change.before && change.after && !differs) {
      ++diff_.unchanged;
    } else {
      diff_.changes.push_back(change);
    }
  }

  const DiffSide before_;
  const DiffSide after_;
  std::vector<size_t> only_before_, only_after_;
  Diff diff_;
};

}  // namespace

Diff DiffVersions(const DiffSide& before, const DiffSide& after) {
  return Differ(before, after).Run();
}

}  // namespace graft::dataset
