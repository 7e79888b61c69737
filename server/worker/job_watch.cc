#include "server/worker/job_watch.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/thread_pool.h"
#include "server/logging/logging.h"

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

void JobWatch::Watch() {
  const logging::Context context({{"job", lease_.job_id}, {"attempt", absl::StrCat(lease_.attempt)}});
  absl::Time next_heartbeat = absl::Now() + intervals_.heartbeat;
  while (!ended_.WaitForNotificationWithTimeout(intervals_.look)) {
    const bool beat = absl::Now() >= next_heartbeat;
    if (beat) next_heartbeat = absl::Now() + intervals_.heartbeat;
    const absl::StatusOr<jobs::Wish> wish = beat ? jobs_->Heartbeat(lease_) : jobs_->WishFor(lease_);
    const bool stop = wish.ok() && (*wish == jobs::Wish::kPause || *wish == jobs::Wish::kCancel);
    if (stop || IsLeaseLost(wish.status())) must_stop_ = true;
    if (wish.ok() && *wish == jobs::Wish::kFinish) must_finish_ = true;
    // The database may be busy for once; the lease outlives several heartbeats.
    if (!wish.ok()) spdlog::warn("job {}: {}", lease_.job_id, std::string(wish.status().message()));
  }
}

}  // namespace graft::worker
