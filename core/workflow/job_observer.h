// Who watches a worker's job from outside: what of it becomes metrics. Plain C++.
#pragma once

#include "absl/time/time.h"
#include "core/jobs/job_store.h"

namespace graft::workflow {

// Called on the thread that runs the job, between Began and Ended; must not block.
class JobObserver {
 public:
  virtual ~JobObserver() = default;

  virtual void Began(const jobs::Claim& claim) = 0;
  // The attempt is over; `job` is what became of it.
  virtual void Ended(const jobs::Job& job) = 0;
  // Instead of Ended: another attempt has the job.
  virtual void LostLease() = 0;

  // An event was appended: progress of any kind.
  virtual void Appended(const jobs::EventBody& body) = 0;
  // Features of photos are at hand, once for each time they were asked for.
  virtual void FeaturesAtHand(int computed, int from_cache) = 0;
  virtual void CheckpointWritten(absl::Duration duration) = 0;
  // An epoch on photos has ended, of which training spent this share (0 to 1) waiting for photos.
  virtual void WaitedForPhotos(double share) = 0;
};

}  // namespace graft::workflow
