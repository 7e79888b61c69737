#include "core/access/rate_limiter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace graft::access {

absl::Status RateLimiter::Take(const std::string& name, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  Bucket& bucket = buckets_.try_emplace(name, Bucket{limits_.burst, now}).first->second;
  const double earned = std::max(0.0, absl::ToDoubleSeconds(now - bucket.time)) * limits_.calls_per_second;
  bucket = {std::min(limits_.burst, bucket.calls + earned), now};
  if (bucket.calls >= 1) {
    bucket.calls -= 1;
    return absl::OkStatus();
  }
  return RetryLater(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat(name, " calls more than ", limits_.calls_per_second, " times a second (--max-calls-per-second)"),
      absl::Seconds((1 - bucket.calls) / limits_.calls_per_second));
}

absl::StatusOr<std::shared_ptr<void>> RateLimiter::TakeStream(const std::string& name) {
  absl::MutexLock lock(&streams_->mutex);
  int& open = streams_->open[name];
  if (open >= limits_.max_streams) {
    return RetryLater(absl::StatusCode::kResourceExhausted,
                      absl::StrCat(name, " has ", open, " streams open, the most that a principal may have"),
                      absl::Seconds(1));
  }
  ++open;
  return std::shared_ptr<void>(nullptr, [streams = streams_, name](void*) {
    absl::MutexLock lock(&streams->mutex);
    if (--streams->open[name] == 0) streams->open.erase(name);
  });
}

}  // namespace graft::access
