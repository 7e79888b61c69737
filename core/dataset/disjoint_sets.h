// Numbers joined into sets, each named by its smallest number.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace graft::dataset {

// One thread at a time.
class DisjointSets {
 public:
  // 0 to size - 1, each alone.
  explicit DisjointSets(size_t size) : parents_(size) { std::iota(parents_.begin(), parents_.end(), size_t{0}); }

  size_t Find(size_t number) {
    while (parents_[number] != number) {
      parents_[number] = parents_[parents_[number]];
      number = parents_[number];
    }
    return number;
  }

  void Join(size_t a, size_t b) {
    a = Find(a);
    b = Find(b);
    parents_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<size_t> parents_;  // never greater than the number
};

}  // namespace graft::dataset
