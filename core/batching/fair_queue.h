// Waiting work, in the order in which it should be done: interactive before batch, and within each fair between keys.
#pragma once

#include <algorithm>
#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <utility>

#include "absl/time/time.h"

namespace graft::batching {

enum class Priority {
  kInteractive,  // somebody waits for this one answer
  kBatch,        // one of many: after the interactive ones, but never starved
};

// Items of one key (a model) leave first come, first served; the keys take turns. While both priorities wait, one item
// in kBatchShare is a batch one. One thread at a time.
template <typename Item>
class FairQueue {
 public:
  static constexpr int kBatchShare = 10;

  // Where an item waits; valid until it is popped or removed.
  struct Place {
    Priority priority = Priority::kInteractive;
    typename std::map<std::string, std::list<std::pair<absl::Time, Item>>>::iterator key;
    typename std::list<std::pair<absl::Time, Item>>::iterator entry;
  };

  Place Push(Item item, const std::string& key, Priority priority, absl::Time now) {
    Class& wanted = ClassOf(priority);
    const auto found = wanted.keys.try_emplace(key).first;
    if (found->second.empty()) wanted.turns.push_back(key);
    found->second.emplace_back(now, std::move(item));
    ++wanted.size;
    return {priority, found, std::prev(found->second.end())};
  }

  // The queue must not be empty.
  Item Pop() {
    Class& next = NextClass();
    const auto key = next.keys.find(next.turns.front());
    next.turns.pop_front();
    Item item = std::move(key->second.front().second);
    key->second.pop_front();
    --next.size;
    if (key->second.empty()) {
      next.keys.erase(key);
    } else {
      next.turns.push_back(key->first);
    }
    return item;
  }

  void Remove(const Place& place) {
    Class& from = ClassOf(place.priority);
    place.key->second.erase(place.entry);
    --from.size;
    if (!place.key->second.empty()) return;
    from.turns.remove(place.key->first);
    from.keys.erase(place.key);
  }

  bool empty() const { return size() == 0; }
  size_t size() const { return interactive_.size + batch_.size; }

  // When the item came that has waited longest; InfiniteFuture if there is none.
  absl::Time oldest() const { return std::min(OldestOf(interactive_), OldestOf(batch_)); }

 private:
  struct Class {
    std::map<std::string, std::list<std::pair<absl::Time, Item>>> keys;  // none of them empty
    std::list<std::string> turns;                                        // each key once
    size_t size = 0;
  };

  Class& ClassOf(Priority priority) { return priority == Priority::kInteractive ? interactive_ : batch_; }

  Class& NextClass() {
    if (batch_.size == 0) return interactive_;
    if (interactive_.size > 0 && ++interactive_in_a_row_ < kBatchShare) return interactive_;
    interactive_in_a_row_ = 0;
    return batch_;
  }

  static absl::Time OldestOf(const Class& items) {
    absl::Time oldest = absl::InfiniteFuture();
    for (const auto& [key, entries] : items.keys) oldest = std::min(oldest, entries.front().first);
    return oldest;
  }

  Class interactive_, batch_;
  int interactive_in_a_row_ = 0;
};

}  // namespace graft::batching
