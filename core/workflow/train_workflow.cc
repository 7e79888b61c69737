#include "core/workflow/train_workflow.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/workflow/failure.h"
#include "core/workflow/job_log.h"
#include "core/workflow/train_run.h"

namespace graft::workflow {
namespace {

absl::Status TryToTrain(const Resources& resources, const jobs::Claim& claim, const std::function<bool()>& stop) {
  ASSIGN_OR_RETURN(JobLog log, JobLog::Open(resources.jobs, claim));
  if (claim.lease.attempt > 1 && !claim.job.cancel_requested) {
    RETURN_IF_ERROR(log.Append(
        jobs::Message{absl::StrCat("attempt ", claim.lease.attempt, " goes on after epoch ", log.epochs_done())}));
  }
  return TrainRun(resources, claim, log, stop).Run();
}

// The event that ends a job that did not succeed.
absl::Status EndWith(const Resources& resources, const jobs::Lease& lease, const absl::Status& cause) {
  ASSIGN_OR_RETURN(const bool cancel_requested, resources.jobs->Heartbeat(lease));
  if (cancel_requested) {
    return resources.jobs->Append(lease,
                                  {jobs::StateChanged{.state = jobs::State::kCancelled, .reason = "as requested"}});
  }
  if (absl::IsCancelled(cause)) return cause;  // the worker must end; the job is for another
  return resources.jobs->Append(lease,
                                {jobs::StateChanged{.state = jobs::State::kFailed, .failure = FailureOf(cause)}});
}

// Only a convenience of jobs that may still go on; what cannot be deleted does no harm.
void DeleteCheckpoints(const Resources& resources, const jobs::Lease& lease) {
  std::error_code ignored;
  std::filesystem::remove_all(absl::StrCat(resources.jobs_root, "/", lease.job_id), ignored);
}

}  // namespace

absl::Status RunTrainJob(const Resources& resources, const jobs::Claim& claim, const std::function<bool()>& stop) {
  const absl::Status cause = TryToTrain(resources, claim, stop);
  if (IsLeaseLost(cause)) return cause;
  if (!cause.ok()) RETURN_IF_ERROR(EndWith(resources, claim.lease, cause));
  DeleteCheckpoints(resources, claim.lease);
  return absl::OkStatus();
}

}  // namespace graft::workflow
