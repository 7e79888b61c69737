// One job's events, as an attempt continues what earlier attempts wrote.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/jobs/job_store.h"
#include "core/workflow/job_observer.h"

namespace graft::workflow {

// One thread at a time.
class JobLog {
 public:
  // Reads the events there are. `observer` (may be null) is told of those that follow.
  static absl::StatusOr<JobLog> Open(jobs::JobStore* jobs, const jobs::Claim& claim, JobObserver* observer);

  // Moves the job to `state`, unless an earlier attempt had it there or further: states only go forward.
  absl::Status Enter(jobs::State state);
  bool HasReached(jobs::State state) const { return static_cast<int>(state_) >= static_cast<int>(state); }
  absl::Status Append(jobs::EventBody body);

  // What the job's events, those of earlier attempts included, have said.
  const std::optional<jobs::FeaturesReady>& features_ready() const { return features_ready_; }
  const std::optional<jobs::PrecisionReport>& precision_chosen() const { return precision_chosen_; }
  int epochs_done() const { return epochs_done_; }
  // Whether any epoch was done, be it one that was given up with its precision.
  bool has_trained() const { return epochs_done_ > 0 || given_up_seconds_ > 0; }
  // 1, or what MemoryReduced said last: how much less is to be held in memory at a time.
  int memory_divisor() const { return memory_divisor_; }
  double epoch_seconds() const { return epoch_seconds_; }  // sum over the epochs done
  int trials_done() const { return trials_done_; }
  // Of the epochs that were given up with their precision: features and epochs are those of the chosen one.
  double given_up_seconds() const { return given_up_seconds_; }

 private:
  JobLog(jobs::JobStore* jobs, const jobs::Claim& claim, JobObserver* observer)
      : jobs_(jobs), observer_(observer), lease_(claim.lease), state_(claim.job.state) {}
  void Note(const jobs::EventBody& body);

  jobs::JobStore* jobs_;
  JobObserver* observer_;
  jobs::Lease lease_;
  jobs::State state_;
  std::optional<jobs::FeaturesReady> features_ready_;
  std::optional<jobs::PrecisionReport> precision_chosen_;
  int epochs_done_ = 0, trials_done_ = 0;
  int memory_divisor_ = 1;
  double epoch_seconds_ = 0, given_up_seconds_ = 0;
};

}  // namespace graft::workflow
