#include "core/workflow/train_workflow.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/train/divergence.h"
#include "core/workflow/failure.h"
#include "core/workflow/job_log.h"
#include "core/workflow/train_run.h"

namespace graft::workflow {
namespace {

using jobs::State;

constexpr int kMostMemoryDivisor = 8;  // three times the half

// Ended without a checkpoint that is kept on purpose.
bool IsOver(const jobs::Job& job) {
  const bool died = job.state == State::kFailed && job.failure && job.failure->type == jobs::FailureType::kWorker;
  return job.state == State::kCancelled || job.state == State::kSucceeded || died;
}

// Only a convenience of jobs that may still go on; what cannot be deleted does no harm.
void DeleteCheckpoints(const Resources& resources, const std::string& job_id) {
  std::error_code ignored;
  std::filesystem::remove_all(absl::StrCat(resources.jobs_root, "/", job_id), ignored);
}

struct Signals {
  const std::function<bool()>& stop;
  const std::function<bool()>& finish;
};

// Of what is allocated outside of the parts that say so themselves.
absl::Status Run(const Resources& resources, const jobs::Claim& claim, JobLog& log, const Signals& signals) {
  return StatusFromThrow(absl::StatusCode::kInternal, "run job",
                         [&] { return TrainRun(resources, claim, log, signals.stop, signals.finish).Run(); });
}

bool CanReduceMemory(const JobLog& log, const absl::Status& cause) {
  return FailureOf(cause).type == jobs::FailureType::kOutOfMemory && log.memory_divisor() < kMostMemoryDivisor;
}

absl::Status TryToTrain(const Resources& resources, const jobs::Claim& claim, const Signals& signals) {
  ASSIGN_OR_RETURN(JobLog log, JobLog::Open(resources.jobs, claim, resources.observer));
  if (claim.lease.attempt > 1 && !claim.job.cancel_requested) {
    RETURN_IF_ERROR(log.Append(
        jobs::Message{absl::StrCat("attempt ", claim.lease.attempt, " goes on after epoch ", log.epochs_done())}));
  }
  while (true) {
    const absl::Status status = Run(resources, claim, log, signals);
    if (status.ok() || !CanReduceMemory(log, status)) return status;
    resources.engines->Drop();
    RETURN_IF_ERROR(
        log.Append(jobs::MemoryReduced{.reason = std::string(status.message()), .divisor = 2 * log.memory_divisor()}));
  }
}

absl::Status Cancel(const Resources& resources, const jobs::Lease& lease) {
  RETURN_IF_ERROR(
      resources.jobs->Append(lease, {jobs::StateChanged{.state = State::kCancelled, .reason = "as requested"}}));
  DeleteCheckpoints(resources, lease.job_id);
  return absl::OkStatus();
}

// What became of training before its loss was no number any more is still worth a look.
absl::Status Fail(const Resources& resources, const jobs::Lease& lease, const absl::Status& cause) {
  ASSIGN_OR_RETURN(const jobs::Job job, resources.jobs->Get(lease.job_id));
  const bool keep = train::IsDiverged(cause) && job.progress.epoch > 0;
  jobs::Failure failure = FailureOf(cause);
  if (keep) {
    absl::StrAppend(&failure.message, "; the checkpoint after epoch ", job.progress.epoch, " is kept in jobs/", job.id,
                    " of the data folder");
  }
  RETURN_IF_ERROR(
      resources.jobs->Append(lease, {jobs::StateChanged{.state = State::kFailed, .failure = std::move(failure)}}));
  if (!keep) DeleteCheckpoints(resources, lease.job_id);
  return absl::OkStatus();
}

// Writes how an attempt ended that did not succeed. A job that may go on keeps its checkpoints.
absl::Status EndWith(const Resources& resources, const jobs::Lease& lease, const absl::Status& cause) {
  ASSIGN_OR_RETURN(const jobs::Wish wish, resources.jobs->Heartbeat(lease));
  if (wish == jobs::Wish::kCancel) return Cancel(resources, lease);
  if (wish == jobs::Wish::kPause) {
    return resources.jobs->Append(lease, {jobs::StateChanged{.state = State::kPaused, .reason = "as requested"}});
  }
  if (absl::IsCancelled(cause)) return cause;  // the worker must end; the job is for another
  return Fail(resources, lease, cause);
}

}  // namespace

absl::Status RunTrainJob(const Resources& resources, const jobs::Claim& claim, const std::function<bool()>& stop,
                         const std::function<bool()>& finish) {
  const absl::Status cause = TryToTrain(resources, claim, {stop, finish});
  if (IsLeaseLost(cause)) return cause;
  if (!cause.ok()) return EndWith(resources, claim.lease, cause);
  DeleteCheckpoints(resources, claim.lease.job_id);
  return absl::OkStatus();
}

void DeleteCheckpointsOfEndedJobs(const Resources& resources) {
  std::vector<std::string> ids;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(resources.jobs_root, error), end; !error && entry != end;
       entry.increment(error)) {
    ids.push_back(entry->path().filename());
  }
  for (const std::string& id : ids) {
    const absl::StatusOr<jobs::Job> job = resources.jobs->Get(id);
    if (job.ok() && IsOver(*job)) DeleteCheckpoints(resources, id);
  }
}

}  // namespace graft::workflow
