// Heads that are chosen among several by their validation loss: of solver lbfgs, and of a sweep.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "core/jobs/job.h"
#include "core/train/head_trainer.h"
#include "core/workflow/attempt.h"
#include "core/workflow/candidate.h"

namespace graft::workflow {

struct ChosenHead {
  train::TrainedHead trained;
  std::vector<jobs::Trial> trials;  // in the order in which they ended; one of them is the best
  bool finished_early = false;
};

// Whether the spec asks for a choice.
bool HasTrials(const jobs::TrainSpec& spec);

// Every trial becomes an event, but those that an earlier attempt reported: it starts over, with the same outcome.
// `options` says what the trials share. Errors of train::SolveHead and train::Sweep, and of the log.
absl::StatusOr<ChosenHead> ChooseHead(const Attempt& attempt, const train::HeadOptions& options, const Splits& splits);

}  // namespace graft::workflow
