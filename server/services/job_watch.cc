#include "server/services/job_watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "server/services/convert.h"

namespace graft::services {
namespace {

constexpr size_t kBufferedEvents = 256;
constexpr int kEventsPerRead = 128;

bool EndsJob(const jobs::Event& event) {
  const auto* changed = std::get_if<jobs::StateChanged>(&event.body);
  return changed != nullptr && jobs::IsTerminal(changed->state);
}

}  // namespace

JobWatch::JobWatch(jobs::JobStore* jobs, std::string id, int after_sequence, std::shared_ptr<void> slot)
    : jobs_(jobs), id_(std::move(id)), slot_(std::move(slot)), buffer_(after_sequence, kBufferedEvents) {}

absl::StatusOr<std::unique_ptr<rpc::StreamSource<v1::JobEvent>>> JobWatch::Open(jobs::JobStore* jobs,
                                                                                jobs::ChangeFeed* feed,
                                                                                const v1::WatchJobRequest& request,
                                                                                std::shared_ptr<void> slot,
                                                                                std::function<void()> wake) {
  ASSIGN_OR_RETURN(std::string id, JobIdOf(request.name()));
  ASSIGN_OR_RETURN(const jobs::Job job, jobs->Get(id));
  if (request.after_sequence() < 0 || request.after_sequence() > job.last_sequence) {
    return InvalidField("after_sequence", absl::StrCat("must be 0 to ", job.last_sequence, ", the job's last event"));
  }
  std::unique_ptr<JobWatch> watch(new JobWatch(jobs, id, request.after_sequence(), std::move(slot)));
  watch->ended_ = jobs::IsTerminal(job.state) && request.after_sequence() == job.last_sequence;
  // Subscribed before the first read: what is committed in between comes twice, and the buffer drops the second.
  watch->subscription_ =
      feed->Subscribe([buffer = &watch->buffer_, id = watch->id_, wake = std::move(wake)](const jobs::FeedItem& item) {
        if (item.job_id != id) return;
        buffer->Offer(item.event);
        wake();
      });
  return watch;
}

absl::StatusOr<rpc::StreamStep> JobWatch::Next(v1::JobEvent* response) {
  if (ended_) return rpc::StreamStep::kEnd;
  std::optional<jobs::Event> event = buffer_.Pop();
  if (!event && buffer_.TakeBehind()) {
    RETURN_IF_ERROR(ReadStore());
    event = buffer_.Pop();
  }
  if (!event) return rpc::StreamStep::kWait;
  ended_ = EndsJob(*event);
  *response = ToProto(*event);
  return rpc::StreamStep::kSend;
}

absl::Status JobWatch::ReadStore() {
  ASSIGN_OR_RETURN(const std::vector<jobs::Event> events, jobs_->Events(id_, buffer_.last_sequence(), kEventsPerRead));
  for (const jobs::Event& event : events) {
    buffer_.SkipTo(event.sequence);
    buffer_.Offer(event);
  }
  if (events.size() == static_cast<size_t>(kEventsPerRead)) buffer_.MarkBehind();
  return absl::OkStatus();
}

}  // namespace graft::services
