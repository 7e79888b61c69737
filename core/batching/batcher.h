// Groups waiting images into batches: bounded by size and by age. Knows nothing of tensors.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "core/batching/fair_queue.h"

namespace graft::batching {

struct BatchPolicy {
  int max_images = 1;
  // How long the oldest image waits for company while a batch is not full. Only under load: when the batch before was
  // a lone image nothing waits, so one client alone pays nothing for a batch that does not come.
  absl::Duration max_age = absl::ZeroDuration();
};

// One item is one image; what a batch takes first is FairQueue's order. One thread at a time.
template <typename Item>
class Batcher {
 public:
  using Place = typename FairQueue<Item>::Place;

  explicit Batcher(BatchPolicy policy) : policy_(policy) {}

  Place Add(Item item, const std::string& key, Priority priority, absl::Time now) {
    return queue_.Push(std::move(item), key, priority, now);
  }
  void Remove(const Place& place) { queue_.Remove(place); }
  bool empty() const { return queue_.empty(); }

  // When there is a batch to take without another Add; InfiniteFuture if nothing waits.
  absl::Time due() const {
    if (queue_.empty()) return absl::InfiniteFuture();
    if (static_cast<int>(queue_.size()) >= policy_.max_images || last_batch_ <= 1) return absl::InfinitePast();
    return queue_.oldest() + policy_.max_age;
  }

  // At most max_images, at least one; something must wait.
  std::vector<Item> Take() {
    std::vector<Item> batch;
    while (!queue_.empty() && static_cast<int>(batch.size()) < policy_.max_images) batch.push_back(queue_.Pop());
    last_batch_ = static_cast<int>(batch.size());
    return batch;
  }

 private:
  const BatchPolicy policy_;
  FairQueue<Item> queue_;
  int last_batch_ = 0;
};

}  // namespace graft::batching
