#include "server/worker/claim_loop.h"

#include <spdlog/spdlog.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "server/logging/logging.h"
#include "server/worker/job_watch.h"

namespace graft::worker {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(50);
constexpr absl::Duration kLookInterval = absl::Seconds(1);

}  // namespace

void ClaimLoop::Run() {
  workflow::DeleteCheckpointsOfEndedJobs(resources_);
  do {
    if (!ShouldLook()) continue;
    while (!stop_->HasBeenNotified() && ClaimAndRun()) {
    }
  } while (!stop_->WaitForNotificationWithTimeout(kPollInterval));
}

bool ClaimLoop::ShouldLook() {
  const absl::Time now = absl::Now();
  const absl::StatusOr<int64_t> version = resources_.database->DataVersion();
  if (version.ok() && *version == seen_version_ && now < next_look_) return false;
  if (version.ok()) seen_version_ = *version;
  next_look_ = now + kLookInterval;
  return true;
}

bool ClaimLoop::ClaimAndRun() {
  const absl::StatusOr<std::optional<jobs::Claim>> claim = resources_.jobs->ClaimNext(device_, worker_);
  if (!claim.ok()) {
    spdlog::error("claim a job: {}", std::string(claim.status().message()));
    return false;
  }
  if (!claim->has_value()) return false;
  RunJob(**claim);
  return true;
}

void ClaimLoop::TellObserver(const std::string& job_id, const absl::Status& status) {
  if (resources_.observer == nullptr) return;
  if (IsLeaseLost(status)) return resources_.observer->LostLease();
  const absl::StatusOr<jobs::Job> job = resources_.jobs->Get(job_id);
  resources_.observer->Ended(job.ok() ? *job : jobs::Job());
}

void ClaimLoop::RunJob(const jobs::Claim& claim) {
  const logging::Context context({{"job", claim.lease.job_id}, {"attempt", absl::StrCat(claim.lease.attempt)}});
  spdlog::info("job {} attempt {}: {} on {}, device {}", claim.lease.job_id, claim.lease.attempt,
               claim.job.spec.backbone, claim.job.spec.dataset, device_);
  const absl::Time start = absl::Now();
  if (resources_.observer != nullptr) resources_.observer->Began(claim);
  const JobWatch watch(resources_.jobs, claim.lease);
  const absl::Status status = workflow::RunTrainJob(
      resources_, claim, [&] { return watch.must_stop() || stop_->HasBeenNotified(); },
      [&] { return claim.job.finish_requested || watch.must_finish(); });
  TellObserver(claim.lease.job_id, status);
  if (status.ok()) {
    spdlog::info("job {} ended or paused after {:.1f} s", claim.lease.job_id,
                 absl::ToDoubleSeconds(absl::Now() - start));
    return;
  }
  spdlog::warn("job {} left for another attempt: {}", claim.lease.job_id, std::string(status.message()));
  if (!absl::IsCancelled(status)) return;  // not at once: the lease's end is soon enough
  const absl::Status given_back = resources_.jobs->GiveBack(claim.lease);
  if (!given_back.ok()) spdlog::warn("job {}: {}", claim.lease.job_id, std::string(given_back.message()));
}

}  // namespace graft::worker
