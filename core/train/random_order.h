// The random numbers of a run, as pure functions of its seed: no state to save, the same on every platform.
#pragma once

#include <cstdint>
#include <vector>

namespace graft::train {

// A permutation of 0 .. count-1, a function of (seed, epoch); epoch >= 1.
std::vector<int64_t> EpochOrder(uint32_t seed, int epoch, int count);

// [rows x columns] values, uniform within +-sqrt(6 / (rows + columns)): Glorot & Bengio 2010, Keras' default for Dense.
std::vector<float> GlorotUniform(uint32_t seed, int rows, int columns);

}  // namespace graft::train
