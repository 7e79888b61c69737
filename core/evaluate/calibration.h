// How far a classifier's probabilities can be taken at their word, and the one number that corrects them. Plain C++,
// thread-safe.
#pragma once

#include "absl/types/span.h"

namespace graft::evaluate {

// Mean difference between top-1 probability and top-1 accuracy over bins of equal width, weighted by their images:
// (0, 1/15], (1/15, 2/15], ... 0 without images.
// Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3, with its 15 bins.
inline constexpr int kCalibrationBins = 15;
double ExpectedCalibrationError(absl::Span<const float> probabilities, absl::Span<const int> labels, int classes);

// The bounds of a temperature.
inline constexpr double kMinTemperature = 0.05, kMaxTemperature = 20;

// The temperature T whose softmax(logits / T) fits the labels best: the minimum over b = 1/T of
//
//   sum over images of -log softmax(b logits)[label]  +  (b - 1)^2 / 2
//
// between the bounds. The first term is that of Guo et al. 2017, section 4.2; the second, a standard normal prior on b,
// has no weight beside hundreds of images, but gives a minimum where all images of a small split are right and the
// first alone would let T fall to its bound. Convex in b, so there is one minimum, and it depends on no start.
// logits: [labels.size(), classes]; 1 without images.
double FitTemperature(absl::Span<const float> logits, absl::Span<const int> labels, int classes);

// softmax(logits / temperature), row by row in place: [rows, classes].
void SoftmaxAt(double temperature, absl::Span<float> logits, int classes);

}  // namespace graft::evaluate
