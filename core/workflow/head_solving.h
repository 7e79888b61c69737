// The head of a job whose solver is lbfgs.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "core/jobs/job.h"
#include "core/train/head_trainer.h"
#include "core/workflow/job_log.h"

namespace graft::workflow {

struct SolvedHead {
  train::TrainedHead trained;
  std::vector<jobs::Trial> trials;
  bool finished_early = false;
};

// Every trial becomes an event, but those that an earlier attempt reported: a solver starts over, with the same
// outcome. Errors of train::SolveHead, and of the log.
absl::StatusOr<SolvedHead> SolveHead(const jobs::TrainSpec& spec, int classes, const train::LabelledFeatures& train,
                                     const train::LabelledFeatures& validation, JobLog& log,
                                     const std::function<bool()>& stop, const std::function<bool()>& finish);

}  // namespace graft::workflow
