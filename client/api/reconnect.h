// How long a long-running call keeps trying to reach its server again.
#pragma once

#include "absl/time/time.h"
#include "client/api/cancellation.h"
#include "client/api/retry.h"

namespace graft::client {

// Until the first progress a few attempts (the server may simply not be there); afterwards, attempts until `patience`
// has passed since the last progress (it is being restarted, or the network comes back). One thread at a time.
class Reconnect {
 public:
  // The channel outlives this.
  Reconnect(grpc::Channel& channel, const RetryPolicy& policy, absl::Duration patience)
      : channel_(channel), policy_(policy), patience_(patience), backoff_(policy) {}

  void SawProgress();
  // The server answered, if only to ask for patience: it gets as much of it as after a progress, once.
  void SawServer();
  // To be asked once after each broken connection.
  bool ShouldTryAgain();
  // Waits before the next attempt, at most policy.max_delay, or `at_least` where the server asks for more; false if
  // cancelled meanwhile (`cancellation` may be null).
  bool Wait(const Cancellation* cancellation, absl::Duration at_least = absl::ZeroDuration());

 private:
  grpc::Channel& channel_;
  const RetryPolicy policy_;
  const absl::Duration patience_;
  Backoff backoff_;
  int attempts_ = 0;
  absl::Time last_progress_ = absl::InfinitePast();
};

}  // namespace graft::client
