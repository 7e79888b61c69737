// How far a split's numbers would vary with other photos from the same source. Plain C++, thread-safe.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace graft::evaluate {

struct Interval {
  double low = 0, high = 0;
};

struct Intervals {
  Interval accuracy, loss, macro_f1;
};

// 95 % percentile intervals over resamples of the images, drawn with replacement; the same seed draws the same ones.
// `predictions`, `labels` and `losses` (LossesOf) are those of the images, `classes` bounds the labels. Zeros without
// images. Quantiles interpolate linearly, as numpy.percentile does.
// Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3.
inline constexpr int kResamples = 2000;
Intervals Bootstrap(absl::Span<const int> predictions, absl::Span<const int> labels, absl::Span<const double> losses,
                    int classes, uint32_t seed);

}  // namespace graft::evaluate
