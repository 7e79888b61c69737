#include "core/evaluate/calibration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "core/evaluate/metrics.h"

namespace graft::evaluate {
namespace {

struct Derivatives {
  double first = 0, second = 0;
};

// Of one row's -log softmax(b logits)[label] by b: E[z] - z[label], and Var[z], where z has the probabilities at b.
void AddRow(absl::Span<const float> row, int label, double b, Derivatives& sum) {
  const double largest = *std::max_element(row.begin(), row.end());
  double weights = 0, mean = 0, square = 0;
  for (const float logit : row) {
    const double z = logit - largest;
    const double weight = std::exp(b * z);
    weights += weight;
    mean += weight * z;
    square += weight * z * z;
  }
  mean /= weights;
  sum.first += mean - (row[label] - largest);
  sum.second += square / weights - mean * mean;
}

Derivatives DerivativesAt(double b, absl::Span<const float> logits, absl::Span<const int> labels, int classes) {
  Derivatives sum{.first = b - 1, .second = 1};  // the prior's
  for (size_t i = 0; i < labels.size(); ++i) AddRow(logits.subspan(i * classes, classes), labels[i], b, sum);
  return sum;
}

}  // namespace

double ExpectedCalibrationError(absl::Span<const float> probabilities, absl::Span<const int> labels, int classes) {
  std::array<double, kCalibrationBins> differences{};  // sums over the bin of probability - right
  const std::vector<int> top = TopClasses(probabilities, classes);
  for (size_t i = 0; i < labels.size(); ++i) {
    const double probability = probabilities[i * classes + top[i]];
    const int bin =
        std::clamp(static_cast<int>(std::ceil(probability * kCalibrationBins)) - 1, 0, kCalibrationBins - 1);
    differences[bin] += probability - (top[i] == labels[i] ? 1 : 0);
  }
  double error = 0;
  for (const double difference : differences) error += std::abs(difference);
  return labels.empty() ? 0 : error / static_cast<double>(labels.size());
}

double FitTemperature(absl::Span<const float> logits, absl::Span<const int> labels, int classes) {
  // Newton's method on a derivative that rises with b, within a bracket that every step narrows.
  constexpr int kMostSteps = 100;
  constexpr double kTolerance = 1e-9;  // of b, relative
  double low = 1 / kMaxTemperature, high = 1 / kMinTemperature, b = 1;
  for (int step = 0; step < kMostSteps && high - low > kTolerance * b; ++step) {
    const Derivatives slope = DerivativesAt(b, logits, labels, classes);
    if (slope.first == 0) break;
    (slope.first > 0 ? high : low) = b;
    const double newton = b - slope.first / slope.second;
    const double next = newton > low && newton < high ? newton : (low + high) / 2;
    if (std::abs(next - b) <= kTolerance * b) break;
    b = next;
  }
  return 1 / b;
}

void SoftmaxAt(double temperature, absl::Span<float> logits, int classes) {
  for (float& logit : logits) logit = static_cast<float>(logit / temperature);
  Softmax(logits, classes);
}

}  // namespace graft::evaluate
