// From the Status that ended a job to what its user is told.
#pragma once

#include "absl/status/status.h"
#include "core/jobs/job.h"

namespace graft::workflow {

// Notes on an error whose matter it is, should it end the job. The note made first, nearest to the cause, stays.
absl::Status BlameOn(jobs::FailureType owner, absl::Status status);

// ResourceExhausted is kOutOfMemory. Else what was noted: kDevice whatever the code, kData and kConfig for the codes
// that a user can cause (InvalidArgument, NotFound, FailedPrecondition, OutOfRange, DataLoss). kInternal otherwise.
jobs::Failure FailureOf(const absl::Status& status);

}  // namespace graft::workflow
