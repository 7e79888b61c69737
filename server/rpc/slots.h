// How many of a kind may be under way at once.
#pragma once

#include <atomic>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/errors.h"

namespace graft::rpc {

// Thread-safe; held by a shared_ptr, which the taken slots share.
class Slots : public std::enable_shared_from_this<Slots> {
 public:
  explicit Slots(int count) : count_(count) {}

  // Given back when the last copy goes. RetryLater(ResourceExhausted) naming `what` there are enough of ("streams").
  absl::StatusOr<std::shared_ptr<void>> Take(absl::string_view what, absl::Duration retry_after) {
    if (taken_.fetch_add(1) >= count_) {
      taken_.fetch_sub(1);
      return RetryLater(absl::StatusCode::kResourceExhausted, absl::StrCat(count_, " ", what, " are under way already"),
                        retry_after);
    }
    return std::shared_ptr<void>(this, [self = shared_from_this()](void*) { self->taken_.fetch_sub(1); });
  }
  int taken() const { return taken_; }

 private:
  const int count_;
  std::atomic<int> taken_ = 0;
};

}  // namespace graft::rpc
