// The moves that a job may make.
#pragma once

#include "core/jobs/job.h"

namespace graft::jobs {

// QUEUED -> PREPARING -> TRAINING -> EVALUATING -> PUBLISHING -> SUCCEEDED, one step at a time. A later attempt may go
// back to PREPARING. Every state that is not terminal may become FAILED or CANCELLING; CANCELLING becomes CANCELLED or
// FAILED. QUEUED may become CANCELLED directly. Terminal states stay.
bool CanMove(State from, State to);

}  // namespace graft::jobs
