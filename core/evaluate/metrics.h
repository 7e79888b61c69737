// The numbers of a classifier on one split. Plain C++.
#pragma once

#include <vector>

#include "absl/types/span.h"

namespace graft::evaluate {

struct Metrics {
  double loss = 0;      // mean cross entropy, natural logarithm, probabilities clipped to [1e-7, 1] as Keras does
  double accuracy = 0;  // top-1
  std::vector<double> precision, recall;  // per class; 0 where undefined
  std::vector<int> images;                // per class
  std::vector<int> confusion;             // row-major [actual, predicted]
};

// The most probable class of each row of [rows, classes].
std::vector<int> TopClasses(absl::Span<const float> probabilities, int classes);

// Share of rows with the same class in both; 1 where there are none. Equal sizes.
double Agreement(absl::Span<const int> first, absl::Span<const int> second);

// Row-wise softmax in place: [rows, classes].
void Softmax(absl::Span<float> logits, int classes);

// probabilities: [labels.size(), classes]; labels in 0 .. classes-1.
Metrics Evaluate(absl::Span<const float> probabilities, absl::Span<const int> labels, int classes);

}  // namespace graft::evaluate
