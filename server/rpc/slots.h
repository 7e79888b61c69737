// How many of a kind may be under way at once.
#pragma once

#include <atomic>
#include <memory>

namespace graft::rpc {

// Thread-safe; held by a shared_ptr, which the taken slots share.
class Slots : public std::enable_shared_from_this<Slots> {
 public:
  explicit Slots(int count) : count_(count) {}

  // Given back when the last copy goes; null when all are taken.
  std::shared_ptr<void> TryTake() {
    if (taken_.fetch_add(1) >= count_) {
      taken_.fetch_sub(1);
      return nullptr;
    }
    return {this, [self = shared_from_this()](void*) { self->taken_.fetch_sub(1); }};
  }
  int taken() const { return taken_; }

 private:
  const int count_;
  std::atomic<int> taken_ = 0;
};

}  // namespace graft::rpc
