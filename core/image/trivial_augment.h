// One random operation of random strength on a picture.
#pragma once

#include "core/base/random.h"
#include "core/image/pixel_operations.h"

namespace graft::image {

// TrivialAugment (Mueller & Hutter 2021), the wide space: one of fourteen operations, with one of 31 strengths and,
// where that has a meaning, a random direction. Source of the operations and ranges: torchvision 0.20,
// transforms/autoaugment.py, TrivialAugmentWide._augmentation_space. Warps are bilinear and mirror the picture at its
// borders, where torchvision takes the nearest pixel and black.
void TrivialAugment(const Pixels& pixels, RandomStream& random);

// The same, chosen by the caller: operation 0 .. kTrivialOperations-1 in the order of torchvision's table, strength 0
// (none, where the operation has one) .. kTrivialStrengths-1, sign 1 or -1.
inline constexpr int kTrivialOperations = 14;
inline constexpr int kTrivialStrengths = 31;
void ApplyTrivial(const Pixels& pixels, int operation, int strength, int sign);

}  // namespace graft::image
