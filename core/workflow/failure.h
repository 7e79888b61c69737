// From the Status that ended a job to what its user is told.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "core/jobs/job.h"

namespace graft::workflow {

inline constexpr char kCpuDevice[] = "cpu";

// Notes on an error whose matter it is, should it end the job. The note made first, nearest to the cause, stays.
absl::Status BlameOn(jobs::FailureType owner, absl::Status status);

// On an error of computing on `device` ("cpu", "cuda:0"): what breaks inside an accelerator is its matter, all else
// that of the data.
absl::Status BlameComputing(const std::string& device, const absl::Status& status);

// ResourceExhausted is kOutOfMemory. Else what was noted: kDevice whatever the code, kData and kConfig for the codes
// that a user can cause (InvalidArgument, NotFound, FailedPrecondition, OutOfRange, DataLoss). kInternal otherwise.
jobs::Failure FailureOf(const absl::Status& status);

}  // namespace graft::workflow
