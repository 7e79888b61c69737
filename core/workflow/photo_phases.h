// A job's phases on photos, after its head: from the candidate so far to one with a backbone of its own.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/workflow/attempt.h"
#include "core/workflow/candidate.h"
#include "core/workflow/job_features.h"

namespace graft::workflow {

// Goes on from the candidate; then `inputs` has the weights that the phases made, as a file in the job's folder, the
// candidate's head is of those, and `features` keeps theirs there as well. Every epoch becomes an event, but those that
// an earlier attempt reported.
//
// Where the best epoch of the phases has a lower validation accuracy than the head that they started from, that head
// and the weights under it stay, and an event says so.
//
// The answer is why training was finished before its time, or empty. Where that was before a first epoch of these
// phases, all stays as it is. Errors of train::FineTune and of what it reads, with whose matter they are.
absl::StatusOr<std::string> RunPhotoPhases(const Attempt& attempt, JobFeatures& features, TrainInputs& inputs,
                                           Candidate& candidate);

}  // namespace graft::workflow
