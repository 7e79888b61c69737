// What the program's exit code tells a script; also listed in `graft --help`.
#pragma once

#include "absl/status/status.h"
#include "graft/v1/training.pb.h"

namespace graft::commands {

enum class ExitCode {
  kSuccess = 0,
  kFailed = 1,         // the call or the job failed
  kUsage = 2,          // the command line or the configuration file is wrong
  kCancelled = 3,      // the job was cancelled
  kDenied = 4,         // unauthenticated, or not allowed
  kUnavailable = 5,    // the server cannot be reached or did not answer in time
  kNotFound = 6,       // no such data set, job, model, version or alias
  kInterrupted = 130,  // Ctrl-C; a job that was followed goes on
};

ExitCode ExitCodeFor(const absl::Status& status);

// Of the state a job ended in; kFailed for one that has not ended.
ExitCode ExitCodeFor(v1::JobState state);

}  // namespace graft::commands
