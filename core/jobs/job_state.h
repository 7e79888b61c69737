// The moves that a job may make.
#pragma once

#include "core/jobs/job.h"

namespace graft::jobs {

// QUEUED -> PREPARING -> TRAINING -> EVALUATING -> PUBLISHING -> SUCCEEDED, one step at a time. A later attempt may go
// back to PREPARING. A state with a worker may become FAILED, CANCELLING (then CANCELLED) or PAUSING (then PAUSED,
// which only QUEUED and CANCELLED follow); PAUSING may become CANCELLING, but not the other way. QUEUED may become
// CANCELLED or PAUSED directly. Terminal states stay.
bool CanMove(State from, State to);

}  // namespace graft::jobs
