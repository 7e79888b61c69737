// WatchJob's source: the events of one job after a sequence number, then those to come, until the one that ends it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/jobs/change_feed.h"
#include "core/jobs/job_store.h"
#include "graft/v1/training.pb.h"
#include "server/rpc/server_stream.h"
#include "server/services/event_buffer.h"

namespace graft::services {

// One thread at a time; the feed's thread only touches the buffer and calls `wake`.
class JobWatch final : public rpc::StreamSource<v1::JobEvent> {
 public:
  // `slot` is held as long as the watch.
  // ResourceNotFound for an unknown job, InvalidField("after_sequence") for a number it has not reached.
  static absl::StatusOr<std::unique_ptr<rpc::StreamSource<v1::JobEvent>>> Open(jobs::JobStore* jobs,
                                                                               jobs::ChangeFeed* feed,
                                                                               const v1::WatchJobRequest& request,
                                                                               std::shared_ptr<void> slot,
                                                                               std::function<void()> wake);

  absl::StatusOr<rpc::StreamStep> Next(v1::JobEvent* response) override;

 private:
  JobWatch(jobs::JobStore* jobs, std::string id, int after_sequence, std::shared_ptr<void> slot);
  absl::Status ReadStore();

  jobs::JobStore* const jobs_;
  const std::string id_;
  const std::shared_ptr<void> slot_;
  EventBuffer buffer_;
  bool ended_ = false;
  std::unique_ptr<jobs::ChangeFeed::Subscription> subscription_;  // last: ends before the buffer
};

}  // namespace graft::services
