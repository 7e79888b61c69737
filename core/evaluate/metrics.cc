#include "core/evaluate/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace graft::evaluate {
namespace {

// Source: keras.config.epsilon(), which keras.losses clips probabilities with.
constexpr double kEpsilon = 1e-7;

void SoftmaxRow(absl::Span<float> row) {
  const float largest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (float& value : row) {
    value = std::exp(value - largest);
    sum += value;
  }
  for (float& value : row) value = static_cast<float>(value / sum);
}

int MostProbable(absl::Span<const float> row) {
  return static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
}

double CrossEntropy(float probability) {
  return -std::log(std::clamp<double>(probability, kEpsilon, 1.0));
}

// 0 where undefined.
double Ratio(int part, int whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / whole;
}

}  // namespace

std::vector<int> TopClasses(absl::Span<const float> probabilities, int classes) {
  std::vector<int> top;
  for (size_t start = 0; start < probabilities.size(); start += classes) {
    top.push_back(MostProbable(probabilities.subspan(start, classes)));
  }
  return top;
}

double Agreement(absl::Span<const int> first, absl::Span<const int> second) {
  int same = 0;
  for (size_t i = 0; i < first.size(); ++i) same += first[i] == second[i] ? 1 : 0;
  return first.empty() ? 1 : Ratio(same, static_cast<int>(first.size()));
}

void Softmax(absl::Span<float> logits, int classes) {
  for (size_t start = 0; start < logits.size(); start += classes) SoftmaxRow(logits.subspan(start, classes));
}

Metrics Evaluate(absl::Span<const float> probabilities, absl::Span<const int> labels, int classes) {
  Metrics metrics{.precision = std::vector<double>(classes),
                  .recall = std::vector<double>(classes),
                  .images = std::vector<int>(classes),
                  .confusion = std::vector<int>(static_cast<size_t>(classes) * classes)};
  std::vector<int> predictions(classes);  // how often each class was predicted
  for (size_t i = 0; i < labels.size(); ++i) {
    const absl::Span<const float> row = probabilities.subspan(i * classes, classes);
    const int predicted = MostProbable(row);
    metrics.loss += CrossEntropy(row[labels[i]]);
    ++metrics.confusion[static_cast<size_t>(labels[i]) * classes + predicted];
    ++metrics.images[labels[i]];
    ++predictions[predicted];
  }
  int right = 0;
  for (int label = 0; label < classes; ++label) {
    const int hits = metrics.confusion[static_cast<size_t>(label) * classes + label];
    metrics.precision[label] = Ratio(hits, predictions[label]);
    metrics.recall[label] = Ratio(hits, metrics.images[label]);
    right += hits;
  }
  const int images = static_cast<int>(labels.size());
  metrics.loss = images == 0 ? 0 : metrics.loss / images;
  metrics.accuracy = Ratio(right, images);
  return metrics;
}

}  // namespace graft::evaluate
