// When to try again, and how long to wait before.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

namespace graft::client {

struct RetryPolicy {
  int max_attempts = 5;  // about 2 seconds in all with the delays below
  absl::Duration initial_delay = absl::Milliseconds(100);
  absl::Duration max_delay = absl::Seconds(2);
};

// The waits of one operation: doubling, each between half and all of it so that clients spread. One thread at a time.
class Backoff {
 public:
  explicit Backoff(const RetryPolicy& policy) : policy_(policy), next_(policy.initial_delay) {}
  absl::Duration Next();
  // The connection works again.
  void Reset() { next_ = policy_.initial_delay; }

 private:
  const RetryPolicy policy_;
  absl::Duration next_;
  absl::BitGen random_;
};

// True if the connection or the server went away rather than the call being refused: UNAVAILABLE, and the codes that
// gRPC itself makes up when a stream is reset. Graft's server attaches details to every error of its own.
bool IsBrokenConnection(const grpc::Status& status);

// Sleeps for `delay` while the channel goes on connecting. Between calls gRPC looks at its sockets only every five
// seconds, so after a plain sleep a server that is back would still count as away.
void SleepWhileConnecting(grpc::Channel& channel, absl::Duration delay);

// How long the server asked to wait (RetryInfo), or zero if it did not.
absl::Duration RequestedDelay(const absl::Status& status);

}  // namespace graft::client
