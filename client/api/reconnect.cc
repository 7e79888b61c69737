#include "client/api/reconnect.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace graft::client {

void Reconnect::SawProgress() {
  last_progress_ = absl::Now();
  attempts_ = 0;
  backoff_.Reset();
}

void Reconnect::SawServer() {
  if (last_progress_ == absl::InfinitePast()) last_progress_ = absl::Now();
}

bool Reconnect::ShouldTryAgain() {
  ++attempts_;
  if (last_progress_ == absl::InfinitePast()) return attempts_ < policy_.max_attempts;
  return absl::Now() - last_progress_ < patience_;
}

bool Reconnect::Wait(const Cancellation* cancellation, absl::Duration at_least) {
  SleepWhileConnecting(channel_, std::max(backoff_.Next(), at_least));
  return cancellation == nullptr || !cancellation->IsCancelled();
}

}  // namespace graft::client
