#include "core/workflow/job_log.h"

#include <utility>
#include <variant>
#include <vector>

#include "core/base/status_macros.h"

namespace graft::workflow {
namespace {

constexpr int kPageEvents = 1000;
constexpr char kTriedFirst[] = "bf16";  // of "auto": the choice of the other starts over

}  // namespace

absl::StatusOr<JobLog> JobLog::Open(jobs::JobStore* jobs, const jobs::Claim& claim, JobObserver* observer) {
  JobLog log(jobs, claim, observer);
  int last_sequence = 0;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<jobs::Event> events,
                     jobs->Events(claim.lease.job_id, last_sequence, kPageEvents));
    if (events.empty()) return log;
    for (const jobs::Event& event : events) log.Note(event.body);
    last_sequence = events.back().sequence;
  }
}

void JobLog::Note(const jobs::EventBody& body) {
  if (const auto* ready = std::get_if<jobs::FeaturesReady>(&body)) features_ready_ = *ready;
  if (const auto* epoch = std::get_if<jobs::EpochDone>(&body)) {
    epochs_done_ = epoch->epoch;
    epoch_seconds_ += epoch->seconds;
  }
  if (const auto* reduced = std::get_if<jobs::MemoryReduced>(&body)) memory_divisor_ = reduced->divisor;
  if (std::holds_alternative<jobs::TrialDone>(body)) ++trials_done_;
  if (const auto* chosen = std::get_if<jobs::PrecisionChosen>(&body)) {
    precision_chosen_ = chosen->report;
    if (precision_chosen_->precision == kTriedFirst) return;
    features_ready_.reset();
    epochs_done_ = trials_done_ = 0;
    given_up_seconds_ += std::exchange(epoch_seconds_, 0);
  }
}

absl::Status JobLog::Append(jobs::EventBody body) {
  RETURN_IF_ERROR(jobs_->Append(lease_, {body}));
  Note(body);
  if (observer_ != nullptr) observer_->Appended(body);
  return absl::OkStatus();
}

absl::Status JobLog::Enter(jobs::State state) {
  if (HasReached(state)) return absl::OkStatus();
  RETURN_IF_ERROR(Append(jobs::StateChanged{.state = state}));
  state_ = state;
  return absl::OkStatus();
}

}  // namespace graft::workflow
