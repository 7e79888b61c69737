// Trains many heads on the same features at once, with different hyper-parameters: the article's recipe in batched
// matrix products.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/train/head_trainer.h"
#include "core/train/labelled_features.h"

namespace graft::train {

struct SweepCandidate {
  double learning_rate = 1e-3;
  double weight_decay = 0;
};

// What became of a candidate.
struct SweepTrial {
  int number = 0;  // of the candidate, from 1
  SweepCandidate candidate;
  int epochs = 0;  // that it ran
  // Of its best epoch; losses are infinite where no epoch ended with finite ones.
  double train_loss = 0, train_accuracy = 0, validation_loss = 0, validation_accuracy = 0;
  double seconds = 0;  // until it ended, of all together
};

struct SweptHead {
  Head head;                       // of the best trial's best epoch
  std::vector<SweepTrial> trials;  // in the order in which they ended
  int best = 0;                    // its number
  bool finished_early = false;     // as asked, with candidates that could have gone on
};

using SweepObserver = std::function<absl::Status(const SweepTrial&)>;

// Each candidate is trained as TrainHead would with its hyper-parameters: same start, same rows in the same order, same
// early stop. `options` says what they share; its own learning rate and weight decay are not used. All together they
// are one network whose kernel is [dimension, candidates x classes].
//
// Successive halving: after a sixteenth and after a quarter of the epochs (rounded up) the better quarter goes on, by
// lowest validation loss so far, but at least four. So up to four candidates all run to their end. A candidate whose
// loss is not finite ends there. Source: Jamieson and Talwalkar, Non-stochastic best arm identification and
// hyperparameter optimization, 2016; eta is 4.
//
// Same inputs, options and machine: bit-identical head, whatever LibTorch's threads are; with more than one, two are
// used, and `observer`, `stop` and `finish` are called on the caller's. Nothing is kept on disk: a run that was
// stopped starts again, and ends the same. `observer` sees each trial when it ends; a non-OK answer stops with it.
// `stop` and `finish` are asked every step. `stop`: Cancelled. `finish`, once an epoch is done: all candidates end with
// it. InvalidArgument if there is no candidate; Diverged if the loss of none is finite.
absl::StatusOr<SweptHead> Sweep(const LabelledFeatures& train, const LabelledFeatures& validation,
                                const HeadOptions& options, const std::vector<SweepCandidate>& candidates,
                                const SweepObserver& observer, const std::function<bool()>& stop,
                                const std::function<bool()>& finish);

}  // namespace graft::train
