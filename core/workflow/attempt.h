// What the steps of one attempt at a train job share: the job, what it works with, and when it is to end.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/jobs/job_store.h"
#include "core/train/head_trainer.h"
#include "core/workflow/job_log.h"
#include "core/workflow/train_workflow.h"

namespace graft::workflow {

// One thread at a time. What it is given outlives it.
class Attempt {
 public:
  Attempt(const Resources& resources, const jobs::Claim& claim, JobLog& log, const std::function<bool()>& stop,
          const std::function<bool()>& finish)
      : resources_(resources),
        spec_(claim.job.spec),
        lease_(claim.lease),
        worked_before_(claim.job.worked),
        log_(log),
        stop_(stop),
        finish_(finish) {}

  const Resources& resources() const { return resources_; }
  const jobs::TrainSpec& spec() const { return spec_; }
  const jobs::Lease& lease() const { return lease_; }
  JobLog& log() const { return log_; }
  std::string Folder() const;  // the job's, which is deleted when it has ended

  // It is to end at once, without a result.
  bool Stopped() const { return stop_(); }
  // The time limit has struck.
  bool TimeIsUp() const;
  // What is to be done for the best so far to be published instead of trained on, as JobResult.stop_reason; empty when
  // nothing is, or where there is no best one yet.
  std::string ReasonToFinish() const;
  // Training is to end, for one reason or the other.
  bool Interrupted() const { return Stopped() || !ReasonToFinish().empty(); }

  // `epochs`: of the job, at most; `left`: of them, those that take as long as this one.
  absl::Status ReportEpoch(const train::EpochMetrics& metrics, const std::string& phase, int epochs, int left) const;

 private:
  const Resources& resources_;
  const jobs::TrainSpec& spec_;
  const jobs::Lease lease_;
  const absl::Duration worked_before_;  // by earlier attempts
  const absl::Time start_ = absl::Now();
  JobLog& log_;
  const std::function<bool()>& stop_;
  const std::function<bool()>& finish_;
};

}  // namespace graft::workflow
