// Mixup and cutmix: batches whose images each have something of another. On any device.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "core/train/loss.h"

namespace graft::train {

struct MixOptions {
  double mixup_alpha = 0, cutmix_alpha = 0;  // FineTuneOptions'
  bool enabled() const { return mixup_alpha > 0 || cutmix_alpha > 0; }
};

// How a batch is mixed. Plain numbers.
struct Mix {
  std::vector<int64_t> partners;  // [N], a permutation: image i gets something of image partners[i]
  double kept = 1;                // share of the image itself
  // cutmix: the partner's rectangle, in pixels, of which there may be none; mixup: all 0.
  bool pastes = false;
  int top = 0, left = 0, height = 0, width = 0;
};

// A pure function of its arguments. `pass` counts the forward passes of an update from 0. With both alphas above 0 each
// kind has a chance of one half.
Mix DrawMix(const MixOptions& options, uint32_t seed, int epoch, int64_t step, int pass, int images, int size);

// images: [N, 3, size, size], normalised; the result has their memory format. Targets are mixed in the same proportion.
torch::Tensor MixImages(const Mix& mix, const torch::Tensor& images);
Targets MixTargets(const Mix& mix, const Targets& targets);

}  // namespace graft::train
