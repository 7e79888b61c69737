#include "core/workflow/head_solving.h"

#include <utility>

#include "core/base/status_macros.h"
#include "core/train/head_solver.h"

namespace graft::workflow {
namespace {

jobs::Trial ToTrial(const train::L2Trial& trial) {
  return {.number = trial.number,
          .l2 = trial.l2,
          .iterations = trial.iterations,
          .train_loss = trial.train_loss,
          .train_accuracy = trial.train_accuracy,
          .validation_loss = trial.validation_loss,
          .validation_accuracy = trial.validation_accuracy,
          .seconds = trial.seconds,
          .best = trial.best};
}

// As the result tells them: only the last that was best so far is the best of all.
std::vector<jobs::Trial> TrialsOf(const train::SolvedHead& solved) {
  std::vector<jobs::Trial> trials;
  for (const train::L2Trial& trial : solved.trials) {
    trials.push_back(ToTrial(trial));
    trials.back().best = trial.number == solved.best;
  }
  return trials;
}

}  // namespace

absl::StatusOr<SolvedHead> SolveHead(const jobs::TrainSpec& spec, int classes, const train::LabelledFeatures& train,
                                     const train::LabelledFeatures& validation, JobLog& log,
                                     const std::function<bool()>& stop, const std::function<bool()>& finish) {
  const int at_most = spec.l2 ? 1 : static_cast<int>(train::L2Grid().size());
  const auto report = [&](const train::L2Trial& trial) {
    if (trial.number <= log.trials_done()) return absl::OkStatus();
    return log.Append(jobs::TrialDone{.trial = ToTrial(trial), .trials = at_most});
  };
  ASSIGN_OR_RETURN(train::SolvedHead solved,
                   train::SolveHead(train, validation, {.classes = classes, .l2 = spec.l2, .device = spec.device},
                                    report, stop, finish));
  const train::L2Trial& best = solved.trials[solved.best - 1];
  return SolvedHead{.trained = {.head = std::move(solved.head),
                                .validation_loss = best.validation_loss,
                                .validation_accuracy = best.validation_accuracy},
                    .trials = TrialsOf(solved),
                    .finished_early = solved.finished_early};
}

}  // namespace graft::workflow
