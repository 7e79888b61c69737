#include "client/commands/job_follow.h"

#include "absl/strings/str_cat.h"
#include "client/api/cancellation.h"
#include "client/commands/names.h"
#include "client/terminal/interrupt.h"
#include "core/base/status_macros.h"

namespace graft::commands {
namespace {

std::string HowToComeBack(const std::string& job, int last_sequence) {
  const std::string id = ShortName(job);
  return absl::StrCat("  graft job watch ", id,
                      last_sequence > 0 ? absl::StrCat(" --after-sequence ", last_sequence) : "",
                      "\n  graft job cancel ", id);
}

}  // namespace

absl::StatusOr<ExitCode> FollowJob(Session& session, const std::string& job, int after_sequence,
                                   const std::function<void(const v1::JobEvent&)>& on_event) {
  client::Cancellation cancellation;
  int last_sequence = after_sequence;
  bool lost = false;
  client::WatchObserver observer;
  observer.on_event = [&](const v1::JobEvent& event) {
    last_sequence = event.sequence();
    lost = false;
    on_event(event);
  };
  observer.on_reconnecting = [&](const absl::Status& status) {
    if (!lost) session.console.Error(absl::StrCat("lost the connection (", status.message(), "), reconnecting"));
    lost = true;
  };
  absl::Status watched;
  {
    const terminal::InterruptHandler interrupt([&] { cancellation.Cancel(); });
    watched = session.client.WatchJob(job, after_sequence, observer, &cancellation);
  }
  session.console.ClearLive();
  if (cancellation.IsCancelled()) {
    session.console.Error(
        absl::StrCat("detached; the job goes on. To come back or to stop it:\n", HowToComeBack(job, last_sequence)));
    return ExitCode::kInterrupted;
  }
  if (absl::IsUnavailable(watched)) {
    session.console.Error(
        absl::StrCat("the job goes on when the server is back:\n", HowToComeBack(job, last_sequence)));
  }
  RETURN_IF_ERROR(watched);
  v1::GetJobRequest request;
  request.set_name(job);
  ASSIGN_OR_RETURN(const v1::Job final_job, session.client.GetJob(request));
  return ExitCodeFor(final_job.state());
}

}  // namespace graft::commands
