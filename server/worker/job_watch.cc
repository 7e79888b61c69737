#include "server/worker/job_watch.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"

namespace graft::worker {

JobWatch::JobWatch(jobs::JobStore* jobs, jobs::Lease lease, JobWatchIntervals intervals)
    : jobs_(jobs),
      lease_(std::move(lease)),
      intervals_(intervals),
      thread_(NamedThread("heartbeat", [this] { Watch(); })) {}

JobWatch::~JobWatch() {
  ended_.Notify();
  thread_.join();
}

absl::StatusOr<bool> JobWatch::CancelRequested() {
  ASSIGN_OR_RETURN(const jobs::Job job, jobs_->Get(lease_.job_id));
  if (job.attempt != lease_.attempt) return LeaseLost(lease_.job_id);
  return job.cancel_requested;
}

void JobWatch::Watch() {
  absl::Time next_heartbeat = absl::Now() + intervals_.heartbeat;
  while (!ended_.WaitForNotificationWithTimeout(intervals_.look)) {
    const bool beat = absl::Now() >= next_heartbeat;
    if (beat) next_heartbeat = absl::Now() + intervals_.heartbeat;
    const absl::StatusOr<bool> cancelled = beat ? jobs_->Heartbeat(lease_) : CancelRequested();
    if (cancelled.ok() ? *cancelled : IsLeaseLost(cancelled.status())) must_stop_ = true;
    // The database may be busy for once; the lease outlives several heartbeats.
    if (!cancelled.ok()) spdlog::warn("job {}: {}", lease_.job_id, std::string(cancelled.status().message()));
  }
}

}  // namespace graft::worker
