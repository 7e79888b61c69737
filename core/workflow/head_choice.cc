#include "core/workflow/head_choice.h"

#include <limits>
#include <utility>

#include "core/base/status_macros.h"
#include "core/jobs/fine_tune_spec.h"
#include "core/jobs/train_spec.h"
#include "core/train/head_solver.h"
#include "core/train/sweep.h"

namespace graft::workflow {
namespace {

// Collects the trials, and reports those that no earlier attempt has.
class Trials {
 public:
  Trials(JobLog& log, int at_most) : log_(log), reported_(log.trials_done()), at_most_(at_most) {}

  absl::Status Add(jobs::Trial trial) {
    trial.best = trial.validation_loss < lowest_loss_;
    if (trial.best) lowest_loss_ = trial.validation_loss;
    trials_.push_back(trial);
    if (static_cast<int>(trials_.size()) <= reported_) return absl::OkStatus();
    return log_.Append(jobs::TrialDone{.trial = trial, .trials = at_most_});
  }

  // An attempt that starts over can only keep the best of those that were told once it has them all.
  bool HasThoseReported() const { return static_cast<int>(trials_.size()) >= reported_; }

  // As a result has them: only one is the best.
  ChosenHead Choose(train::Head head, int best, bool finished_early) && {
    ChosenHead chosen{.trained = {.head = std::move(head)}, .finished_early = finished_early};
    for (jobs::Trial& trial : trials_) {
      trial.best = trial.number == best;
      if (!trial.best) continue;
      chosen.trained.validation_loss = trial.validation_loss;
      chosen.trained.validation_accuracy = trial.validation_accuracy;
    }
    chosen.trials = std::move(trials_);
    return chosen;
  }

 private:
  JobLog& log_;
  const int reported_, at_most_;
  double lowest_loss_ = std::numeric_limits<double>::infinity();
  std::vector<jobs::Trial> trials_;
};

absl::StatusOr<ChosenHead> Solve(const Attempt& attempt, const train::HeadOptions& options, const Splits& splits) {
  const jobs::TrainSpec& spec = attempt.spec();
  Trials trials(attempt.log(), spec.l2 ? 1 : static_cast<int>(train::L2Grid().size()));
  const auto add = [&](const train::L2Trial& trial) {
    return trials.Add({.number = trial.number,
                       .l2 = trial.l2,
                       .iterations = trial.iterations,
                       .train_loss = trial.train_loss,
                       .train_accuracy = trial.train_accuracy,
                       .validation_loss = trial.validation_loss,
                       .validation_accuracy = trial.validation_accuracy,
                       .seconds = trial.seconds});
  };
  const train::SolverOptions of_solver{
      .classes = options.classes, .l2 = spec.l2, .device = options.device, .start = options.start};
  ASSIGN_OR_RETURN(train::SolvedHead solved,
                   train::SolveHead(
                       splits.train, splits.validation, of_solver, add, [&] { return attempt.Stopped(); },
                       [&] { return trials.HasThoseReported() && !attempt.ReasonToFinish().empty(); }));
  return std::move(trials).Choose(std::move(solved.head), solved.best, solved.finished_early);
}

// Every combination; the values of the field that was named last change fastest.
std::vector<train::SweepCandidate> Combinations(const jobs::TrainSpec& spec, const train::HeadOptions& options) {
  std::vector<train::SweepCandidate> candidates = {
      {.learning_rate = options.learning_rate, .weight_decay = options.weight_decay}};
  for (const jobs::SweptField& swept : spec.sweep) {
    std::vector<train::SweepCandidate> more;
    for (train::SweepCandidate candidate : candidates) {
      for (const double value : swept.values) {
        (swept.field == jobs::kLearningRate ? candidate.learning_rate : candidate.weight_decay) = value;
        more.push_back(candidate);
      }
    }
    candidates = std::move(more);
  }
  return candidates;
}

absl::StatusOr<ChosenHead> Sweep(const Attempt& attempt, const train::HeadOptions& options, const Splits& splits) {
  const std::vector<train::SweepCandidate> candidates = Combinations(attempt.spec(), options);
  Trials trials(attempt.log(), static_cast<int>(candidates.size()));
  const auto add = [&](const train::SweepTrial& trial) {
    return trials.Add({.number = trial.number,
                       .learning_rate = trial.candidate.learning_rate,
                       .weight_decay = trial.candidate.weight_decay,
                       .epochs = trial.epochs,
                       .train_loss = trial.train_loss,
                       .train_accuracy = trial.train_accuracy,
                       .validation_loss = trial.validation_loss,
                       .validation_accuracy = trial.validation_accuracy,
                       .seconds = trial.seconds});
  };
  ASSIGN_OR_RETURN(train::SweptHead swept,
                   train::Sweep(
                       splits.train, splits.validation, options, candidates, add, [&] { return attempt.Stopped(); },
                       [&] { return trials.HasThoseReported() && !attempt.ReasonToFinish().empty(); }));
  return std::move(trials).Choose(std::move(swept.head), swept.best, swept.finished_early);
}

}  // namespace

bool HasTrials(const jobs::TrainSpec& spec) {
  return jobs::SolvesHead(spec) || !spec.sweep.empty();
}

absl::StatusOr<ChosenHead> ChooseHead(const Attempt& attempt, const train::HeadOptions& options, const Splits& splits) {
  return attempt.spec().sweep.empty() ? Solve(attempt, options, splits) : Sweep(attempt, options, splits);
}

}  // namespace graft::workflow
