// Follows a job's events over lost connections.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "client/api/cancellation.h"
#include "client/api/retry.h"
#include "graft/v1/training.grpc.pb.h"

namespace graft::client {

struct WatchObserver {
  std::function<void(const v1::JobEvent&)> on_event;
  // The connection was lost with this error and is being made again; may be empty.
  std::function<void(const absl::Status&)> on_reconnecting;
};

struct WatchOptions {
  RetryPolicy retry;  // its attempts bound the first connection
  absl::Duration reconnect_for = absl::Minutes(2);
};

// Calls `on_event` for each event after `after_sequence`, in order and none twice, and returns OK after
// the one that ended the job. A lost connection is made again from the last sequence seen: until `reconnect_for` has
// passed since the last sign of life, or, if there was none yet, `retry.max_attempts` times.
//
// Errors: the server's; Unavailable when the server stayed away; Cancelled.
absl::Status WatchJob(const std::shared_ptr<grpc::Channel>& channel, const std::string& job, int after_sequence,
                      const WatchObserver& observer, const WatchOptions& options, Cancellation* cancellation);

}  // namespace graft::client
