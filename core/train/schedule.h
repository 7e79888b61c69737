// The learning rate as a function of the update. Plain C++.
#pragma once

#include <cstdint>

#include "core/train/fine_tuner.h"

namespace graft::train {

// kPlateau's memory; part of the checkpoint.
struct PlateauState {
  double factor = 1;
  double lowest_loss = 0;  // valid after the first epoch
  int epochs = 0;          // observed
  int epochs_waited = 0;   // without a lower loss
};

// Takes in an epoch's validation loss: after 3 epochs in a row that are not lower than the lowest by at least 1e-4, the
// factor falls to a tenth. Source: keras.callbacks.ReduceLROnPlateau, whose patience is 10.
void ObserveLoss(PlateauState& state, double validation_loss);

// What the phase's learning rate is multiplied by in `update`, counted through the phase from 0.
double LearningRateFactor(const PhaseOptions& phase, int64_t update, int64_t updates_per_epoch,
                          const PlateauState& plateau);

}  // namespace graft::train
