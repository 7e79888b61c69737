// Keeps a running job's lease and sees when it must stop.
#pragma once

#include <atomic>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "core/jobs/job_store.h"

namespace graft::worker {

struct JobWatchIntervals {
  absl::Duration heartbeat = absl::Seconds(5);    // a sixth of the lease
  absl::Duration look = absl::Milliseconds(500);  // for a wish: stopping is promised within two seconds
};

// A thread of its own from construction to destruction. Thread-safe.
class JobWatch {
 public:
  JobWatch(jobs::JobStore* jobs, jobs::Lease lease, JobWatchIntervals intervals = {});
  ~JobWatch();
  JobWatch(const JobWatch&) = delete;
  JobWatch& operator=(const JobWatch&) = delete;

  // True once cancelling or pausing was requested or the lease is lost.
  bool must_stop() const { return must_stop_; }
  // True once it was requested that the best epoch so far be published.
  bool must_finish() const { return must_finish_; }

 private:
  void Watch();

  jobs::JobStore* const jobs_;
  const jobs::Lease lease_;
  const JobWatchIntervals intervals_;
  std::atomic<bool> must_stop_ = false, must_finish_ = false;
  absl::Notification ended_;
  std::thread thread_;
};

}  // namespace graft::worker
