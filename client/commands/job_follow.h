// Watches a job until it ends or the user looks away.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "client/commands/command.h"
#include "graft/v1/training.pb.h"

namespace graft::commands {

// Calls `on_event` for each event after `after_sequence` and returns the exit code of the state that the job ended in.
// Ctrl-C leaves the job running, says how to come back to it and returns kInterrupted; so does a server that stays
// away, as an error.
absl::StatusOr<ExitCode> FollowJob(Session& session, const std::string& job, int after_sequence,
                                   const std::function<void(const v1::JobEvent&)>& on_event);

}  // namespace graft::commands
