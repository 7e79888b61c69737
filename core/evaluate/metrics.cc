#include "core/evaluate/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

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
double Ratio(double part, double whole) {
  return whole == 0 ? 0 : part / whole;
}

// How often each class was the label, the prediction, and both.
struct Tally {
  explicit Tally(int classes) : labels(classes), predictions(classes), hits(classes) {}

  void Add(int label, int prediction) {
    ++labels[label];
    ++predictions[prediction];
    if (label == prediction) ++hits[label];
  }
  bool Occurs(size_t label) const { return labels[label] + predictions[label] > 0; }
  double F1(size_t label) const { return Ratio(2.0 * hits[label], labels[label] + predictions[label]); }

  std::vector<int> labels, predictions, hits;
};

Tally TallyOf(absl::Span<const int> predictions, absl::Span<const int> labels, int classes) {
  Tally tally(classes);
  for (size_t i = 0; i < labels.size(); ++i) tally.Add(labels[i], predictions[i]);
  return tally;
}

std::vector<ConfusionCell> ConfusionOf(absl::Span<const int> predictions, absl::Span<const int> labels) {
  std::map<std::pair<int, int>, int> counts;
  for (size_t i = 0; i < labels.size(); ++i) ++counts[{labels[i], predictions[i]}];
  std::vector<ConfusionCell> cells;
  cells.reserve(counts.size());
  for (const auto& [pair, images] : counts) {
    cells.push_back({.actual = pair.first, .predicted = pair.second, .images = images});
  }
  return cells;
}

// `weight` of each class; those of weight 0 are not looked at.
AverageScores AverageOf(const std::vector<ClassScores>& classes, const std::vector<double>& weights) {
  AverageScores average;
  double total = 0, ranked = 0, roc_auc = 0;
  for (size_t i = 0; i < classes.size(); ++i) {
    const double weight = weights[i];
    average.precision += weight * classes[i].precision;
    average.recall += weight * classes[i].recall;
    average.f1 += weight * classes[i].f1;
    total += weight;
    if (!classes[i].roc_auc) continue;
    roc_auc += weight * *classes[i].roc_auc;
    ranked += weight;
  }
  average.precision = Ratio(average.precision, total);
  average.recall = Ratio(average.recall, total);
  average.f1 = Ratio(average.f1, total);
  if (ranked > 0) average.roc_auc = roc_auc / ranked;
  return average;
}

void Average(const Tally& tally, Metrics& metrics) {
  std::vector<double> occurs, images;
  for (size_t i = 0; i < metrics.classes.size(); ++i) {
    occurs.push_back(tally.Occurs(i) ? 1 : 0);
    images.push_back(tally.labels[i]);
  }
  metrics.macro = AverageOf(metrics.classes, occurs);
  metrics.weighted = AverageOf(metrics.classes, images);
}

// Of `positives` against `negatives`, which is sorted. Neither is empty.
double RankedAbove(const std::vector<float>& positives, const std::vector<float>& negatives) {
  double pairs = 0;
  for (const float positive : positives) {
    const auto [lower, upper] = std::equal_range(negatives.begin(), negatives.end(), positive);
    pairs += static_cast<double>(lower - negatives.begin()) + 0.5 * static_cast<double>(upper - lower);
  }
  return pairs / (static_cast<double>(positives.size()) * static_cast<double>(negatives.size()));
}

}  // namespace

std::vector<int> TopClasses(absl::Span<const float> probabilities, int classes) {
  std::vector<int> top;
  top.reserve(probabilities.size() / classes);
  for (size_t start = 0; start < probabilities.size(); start += classes) {
    top.push_back(MostProbable(probabilities.subspan(start, classes)));
  }
  return top;
}

double Agreement(absl::Span<const int> first, absl::Span<const int> second) {
  int same = 0;
  for (size_t i = 0; i < first.size(); ++i) same += first[i] == second[i] ? 1 : 0;
  return first.empty() ? 1 : Ratio(same, static_cast<double>(first.size()));
}

void Softmax(absl::Span<float> logits, int classes) {
  for (size_t start = 0; start < logits.size(); start += classes) SoftmaxRow(logits.subspan(start, classes));
}

std::vector<double> LossesOf(absl::Span<const float> probabilities, absl::Span<const int> labels, int classes) {
  std::vector<double> losses;
  losses.reserve(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) losses.push_back(CrossEntropy(probabilities[i * classes + labels[i]]));
  return losses;
}

double MeanLoss(absl::Span<const float> probabilities, absl::Span<const int> labels, int classes) {
  double sum = 0;
  for (const double loss : LossesOf(probabilities, labels, classes)) sum += loss;
  return Ratio(sum, static_cast<double>(labels.size()));
}

double MacroF1(absl::Span<const int> predictions, absl::Span<const int> labels, int classes) {
  const Tally tally = TallyOf(predictions, labels, classes);
  double sum = 0, occurring = 0;
  for (size_t i = 0; i < tally.labels.size(); ++i) {
    sum += tally.F1(i);
    occurring += tally.Occurs(i) ? 1 : 0;
  }
  return Ratio(sum, occurring);
}

Metrics Evaluate(absl::Span<const float> probabilities, absl::Span<const int> labels, int classes) {
  const std::vector<int> predictions = TopClasses(probabilities, classes);
  const Tally tally = TallyOf(predictions, labels, classes);
  Metrics metrics{.classes = std::vector<ClassScores>(classes), .confusion = ConfusionOf(predictions, labels)};
  int right = 0;
  for (size_t i = 0; i < metrics.classes.size(); ++i) {
    metrics.classes[i] = {.precision = Ratio(tally.hits[i], tally.predictions[i]),
                          .recall = Ratio(tally.hits[i], tally.labels[i]),
                          .f1 = tally.F1(i),
                          .images = tally.labels[i]};
    right += tally.hits[i];
  }
  Average(tally, metrics);
  metrics.loss = MeanLoss(probabilities, labels, classes);
  metrics.accuracy = Ratio(right, static_cast<double>(labels.size()));
  return metrics;
}

void AddRocAuc(absl::Span<const float> probabilities, absl::Span<const int> labels, Metrics& metrics) {
  const size_t classes = metrics.classes.size();
  std::vector<float> positives, negatives;
  for (size_t k = 0; k < classes; ++k) {
    positives.clear();
    negatives.clear();
    for (size_t i = 0; i < labels.size(); ++i) {
      (labels[i] == static_cast<int>(k) ? positives : negatives).push_back(probabilities[i * classes + k]);
    }
    if (positives.empty() || negatives.empty()) continue;
    std::sort(negatives.begin(), negatives.end());
    metrics.classes[k].roc_auc = RankedAbove(positives, negatives);
  }
  Average(TallyOf(TopClasses(probabilities, static_cast<int>(classes)), labels, static_cast<int>(classes)), metrics);
}

}  // namespace graft::evaluate
