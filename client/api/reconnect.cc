#include "client/api/reconnect.h"

#include "absl/time/clock.h"

namespace graft::client {

void Reconnect::SawProgress() {
  last_progress_ = absl::Now();
  attempts_ = 0;
  backoff_.Reset();
}

bool Reconnect::ShouldTryAgain() {
  ++attempts_;
  if (last_progress_ == absl::InfinitePast()) return attempts_ < policy_.max_attempts;
  return absl::Now() - last_progress_ < patience_;
}

bool Reconnect::Wait(const Cancellation* cancellation) {
  SleepWhileConnecting(channel_, backoff_.Next());
  return cancellation == nullptr || !cancellation->IsCancelled();
}

}  // namespace graft::client
