// The numbers of a classifier on one split. Plain C++. No state: everything here is thread-safe.
//
// Definitions are scikit-learn's, with zero_division=0; parity in tests/core/evaluate/scikit_learn_test.cc.
#pragma once

#include <optional>
#include <vector>

#include "absl/types/span.h"

namespace graft::evaluate {

struct ClassScores {
  double precision = 0, recall = 0, f1 = 0;  // 0 where undefined
  std::optional<double> roc_auc;             // one versus rest; absent without images of the class or of others
  int images = 0;
};

// Over the classes that occur among the labels or the predictions, as sklearn.metrics.f1_score(average=...) takes them.
struct AverageScores {
  double precision = 0, recall = 0, f1 = 0;
  std::optional<double> roc_auc;  // over the classes that have one; absent if none has
};

// What occurred: at most one cell for each image, however many classes there are.
struct ConfusionCell {
  int actual = 0, predicted = 0;
  int images = 0;  // at least 1
  bool operator==(const ConfusionCell&) const = default;
};

struct Metrics {
  double loss = 0;      // mean cross entropy, natural logarithm, probabilities clipped to [1e-7, 1] as Keras does
  double accuracy = 0;  // top-1
  std::vector<ClassScores> classes;
  AverageScores macro;                   // every class counts the same
  AverageScores weighted;                // by its images
  std::vector<ConfusionCell> confusion;  // by actual, then predicted
};

// The most probable class of each row of [rows, classes]; the first of equal ones.
std::vector<int> TopClasses(absl::Span<const float> probabilities, int classes);

// Share of rows with the same class in both; 1 where there are none. Equal sizes.
double Agreement(absl::Span<const int> first, absl::Span<const int> second);

// Row-wise softmax in place: [rows, classes].
void Softmax(absl::Span<float> logits, int classes);

// -log of each row's probability of its label, clipped as Metrics.loss says.
std::vector<double> LossesOf(absl::Span<const float> probabilities, absl::Span<const int> labels, int classes);

// Metrics.loss alone; 0 without images.
double MeanLoss(absl::Span<const float> probabilities, absl::Span<const int> labels, int classes);

// Macro F1 as in Metrics, of predictions alone.
double MacroF1(absl::Span<const int> predictions, absl::Span<const int> labels, int classes);

// probabilities: [labels.size(), classes]; labels in 0 .. classes-1. ROC-AUC is left out: see AddRocAuc.
Metrics Evaluate(absl::Span<const float> probabilities, absl::Span<const int> labels, int classes);

// Fills in every roc_auc: the share of pairs (image of the class, image of another) where the first has the higher
// probability of the class, equal ones counting half. As sklearn.metrics.roc_auc_score(labels == class, probability).
// Source: Mann and Whitney 1947. Sorts a column for each class.
void AddRocAuc(absl::Span<const float> probabilities, absl::Span<const int> labels, Metrics& metrics);

}  // namespace graft::evaluate
