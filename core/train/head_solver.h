// Solves for the dense softmax head instead of training it: multinomial logistic regression to its optimum.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/train/head_trainer.h"
#include "core/train/labelled_features.h"

namespace graft::train {

struct SolverOptions {
  int classes = 0;
  std::optional<double> l2;  // unset: the one of L2Grid() with the lowest validation loss
  std::string device = "cpu";
  std::optional<Head> start;  // where the search for the first optimum begins; of these features and classes
};

// The optimum for one strength of the penalty.
struct L2Trial {
  int number = 0;  // from 1
  double l2 = 0;
  int iterations = 0;
  double train_loss = 0, train_accuracy = 0, validation_loss = 0, validation_accuracy = 0;  // losses without penalty
  double seconds = 0;
  bool best = false;  // lowest validation loss so far
};

struct SolvedHead {
  Head head;  // of the best trial
  std::vector<L2Trial> trials;
  int best = 0;                 // its number
  bool finished_early = false;  // as asked, with trials left
};

// The strengths that are tried, in that order: from strong to weak, so that each solution is near the next.
std::vector<double> L2Grid();

using TrialObserver = std::function<absl::Status(const L2Trial&)>;

// Minimises mean cross entropy + l2/2 |kernel|^2 of standardised features (mean 0 and variance 1 over `train`; a
// feature that does not vary there takes no part). In scikit-learn's terms: StandardScaler, then
// LogisticRegression(C = 1 / (images l2)). The scaling is folded into kernel and bias: the head takes plain features.
//
// The optimum does not depend on where the search for it begins, but for rounding; how long that takes does.
//
// Without options.l2 the grid is solved in order, each from the solution before, until the validation loss has been
// above its lowest for three trials in a row. The head is of the train split alone.
//
// Same inputs, options and machine: bit-identical head; runs on one thread. Nothing is kept on disk: a run that was
// stopped starts again, and ends the same. `observer` is called after each trial; a non-OK answer stops with it.
// `stop` and `finish` are asked every iteration. `stop`: Cancelled. `finish`: once a trial is done, the best of those
// that are is the outcome. InvalidArgument: features that are not finite; an l2 too small for the optimum to be found.
// For "cuda:N" engine::AvailableDevices() was called before.
absl::StatusOr<SolvedHead> SolveHead(const LabelledFeatures& train, const LabelledFeatures& validation,
                                     const SolverOptions& options, const TrialObserver& observer,
                                     const std::function<bool()>& stop, const std::function<bool()>& finish);

}  // namespace graft::train
