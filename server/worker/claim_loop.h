// A worker's life: claim a job, run it, claim the next.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "core/workflow/train_workflow.h"

namespace graft::worker {

// One thread at a time.
class ClaimLoop {
 public:
  // `worker` names this process in the job's record. Nothing is owned.
  ClaimLoop(const workflow::Resources& resources, std::string device, std::string worker,
            const absl::Notification* stop)
      : resources_(resources), device_(std::move(device)), worker_(std::move(worker)), stop_(stop) {}

  // Runs the device's jobs, one at a time, until `stop`. A new job is seen within 50 ms of its commit, one whose lease
  // has expired within a second.
  void Run();

 private:
  // Whether a look for jobs is due: something was committed, or a second has passed.
  bool ShouldLook();
  // True if there was a job.
  bool ClaimAndRun();
  void RunJob(const jobs::Claim& claim);
  void TellObserver(const std::string& job_id, const absl::Status& status);

  const workflow::Resources& resources_;
  const std::string device_;
  const std::string worker_;
  const absl::Notification* const stop_;
  int64_t seen_version_ = -1;
  absl::Time next_look_ = absl::InfinitePast();
};

}  // namespace graft::worker
