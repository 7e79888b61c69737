// EpochMetrics as JSON, in checkpoints.
#pragma once

#include <nlohmann/json.hpp>

#include "core/train/head_trainer.h"

namespace graft::train {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EpochMetrics, epoch, phase, train_loss, train_accuracy, validation_loss,
                                   validation_accuracy, learning_rate, seconds, images_per_second, best)

}  // namespace graft::train
