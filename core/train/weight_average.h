// The exponential moving average of the weights over updates (EMA): a smoother network than any single update's.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "core/train/trainable_network.h"

namespace graft::train {

// One thread at a time.
class WeightAverage {
 public:
  // Starts as the weights' values; `decay` in 0 .. <1.
  WeightAverage(TensorsByName weights, double decay);

  // average += (weights - average) (1 - d), d = min(decay, (1 + update) / (10 + update)), `update` counting from 1.
  // A weight that does not change has itself as its average, to the last bit.
  // Source: tf.train.ExponentialMovingAverage with num_updates.
  void Update(int64_t update);

  // Exchanges the weights' values with the average's: twice changes nothing.
  void Swap();

  const TensorsByName& tensors() const { return average_; }

 private:
  const TensorsByName weights_;
  const double decay_;
  TensorsByName average_;
};

}  // namespace graft::train
