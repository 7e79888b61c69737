#include "core/workflow/evaluation.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>

#include "core/base/status_macros.h"
#include "core/evaluate/bootstrap.h"
#include "core/evaluate/calibration.h"
#include "core/evaluate/metrics.h"
#include "core/workflow/failure.h"
#include "core/workflow/precision.h"

namespace graft::workflow {
namespace {

using engine::Precision;

// What the intervals' resamples are drawn with: equal predictions have equal intervals, whatever the job's seed.
constexpr uint32_t kResampleSeed = 0;

std::vector<jobs::ClassMetrics> ClassMetricsOf(const evaluate::Metrics& metrics,
                                               const std::vector<std::string>& labels) {
  std::vector<jobs::ClassMetrics> classes;
  for (size_t i = 0; i < labels.size(); ++i) {
    const evaluate::ClassScores& scores = metrics.classes[i];
    classes.push_back({.label = labels[i],
                       .precision = scores.precision,
                       .recall = scores.recall,
                       .images = scores.images,
                       .f1 = scores.f1,
                       .roc_auc = scores.roc_auc});
  }
  return classes;
}

jobs::AverageMetrics ToResult(const evaluate::AverageScores& scores) {
  return {.precision = scores.precision, .recall = scores.recall, .f1 = scores.f1, .roc_auc = scores.roc_auc};
}

std::vector<jobs::ConfusionCell> ToResult(const std::vector<evaluate::ConfusionCell>& cells) {
  std::vector<jobs::ConfusionCell> result;
  result.reserve(cells.size());
  for (const auto& [actual, predicted, images] : cells) result.push_back({actual, predicted, images});
  return result;
}

jobs::Intervals ToResult(const evaluate::Intervals& intervals) {
  const auto convert = [](const evaluate::Interval& one) { return jobs::Interval{.low = one.low, .high = one.high}; };
  return {.test_accuracy = convert(intervals.accuracy),
          .test_loss = convert(intervals.loss),
          .macro_f1 = convert(intervals.macro_f1)};
}

// The head's logits of a split.
struct ScoredSplit {
  std::vector<float> logits;  // [labels.size(), classes]
  const std::vector<int>& labels;
  int classes;

  std::vector<float> ProbabilitiesAt(double temperature) const {
    std::vector<float> probabilities = logits;
    evaluate::SoftmaxAt(temperature, absl::MakeSpan(probabilities), classes);
    return probabilities;
  }
};

absl::StatusOr<ScoredSplit> Score(const train::Head& head, const train::LabelledFeatures& split,
                                  const std::string& device) {
  absl::StatusOr<std::vector<float>> logits = train::Logits(head, split, device);
  if (!logits.ok()) return BlameComputing(device, logits.status());
  return ScoredSplit{.logits = *std::move(logits), .labels = split.labels, .classes = head.classes};
}

// What the test split says, at temperature 1.
void AddTestMetrics(const ScoredSplit& test, const std::vector<std::string>& labels, Evaluation& evaluation) {
  jobs::Result& result = evaluation.result;
  const std::vector<float> probabilities = test.ProbabilitiesAt(1);
  const std::vector<int> predictions = evaluate::TopClasses(probabilities, test.classes);
  evaluate::Metrics metrics = evaluate::Evaluate(probabilities, test.labels, test.classes);
  evaluate::AddRocAuc(probabilities, test.labels, metrics);
  result.test_loss = metrics.loss;
  result.test_accuracy = metrics.accuracy;
  result.classes = ClassMetricsOf(metrics, labels);
  result.confusion = ToResult(metrics.confusion);
  result.macro = ToResult(metrics.macro);
  result.weighted = ToResult(metrics.weighted);
  result.intervals = ToResult(evaluate::Bootstrap(predictions, test.labels,
                                                  evaluate::LossesOf(probabilities, test.labels, test.classes),
                                                  test.classes, kResampleSeed));
  evaluation.record.labels = test.labels;
  evaluation.record.predictions = predictions;
}

// The temperature that the validation split asks for, and what it does to the test split.
jobs::Calibration Calibrate(const ScoredSplit& validation, const ScoredSplit& test) {
  const double temperature = evaluate::FitTemperature(validation.logits, validation.labels, validation.classes);
  const auto error_of = [&](const std::vector<float>& probabilities) {
    return evaluate::ExpectedCalibrationError(probabilities, test.labels, test.classes);
  };
  const std::vector<float> after = test.ProbabilitiesAt(temperature);
  return {.temperature = temperature,
          .test_loss = evaluate::MeanLoss(after, test.labels, test.classes),
          .error_before = error_of(test.ProbabilitiesAt(1)),
          .error_after = error_of(after)};
}

// What the head makes of one training photo.
struct Judgement {
  size_t photo = 0;  // of the split
  int predicted = 0;
  double probability = 0, label_probability = 0, loss = 0;
};

train::LabelledFeatures Rows(const train::LabelledFeatures& split, size_t first, size_t count) {
  const auto values = split.values.begin() + static_cast<int64_t>(first) * split.dimension;
  const auto labels = split.labels.begin() + static_cast<int64_t>(first);
  return {.dimension = split.dimension,
          .values = {values, values + static_cast<int64_t>(count) * split.dimension},
          .labels = {labels, labels + static_cast<int64_t>(count)}};
}

// Of the first `photos` rows, in parts: the logits of 140,000 photos of 1,000 classes are half a gigabyte.
absl::StatusOr<std::vector<Judgement>> Judge(const train::Head& head, const train::LabelledFeatures& split,
                                             size_t photos, double temperature, const std::string& device) {
  constexpr size_t kRowsAtOnce = 4096;
  std::vector<Judgement> judgements;
  for (size_t first = 0; first < photos; first += kRowsAtOnce) {
    const train::LabelledFeatures rows = Rows(split, first, std::min(kRowsAtOnce, photos - first));
    ASSIGN_OR_RETURN(const ScoredSplit scored, Score(head, rows, device));
    const std::vector<float> probabilities = scored.ProbabilitiesAt(temperature);
    const std::vector<double> losses = evaluate::LossesOf(probabilities, rows.labels, head.classes);
    const std::vector<int> predictions = evaluate::TopClasses(probabilities, head.classes);
    for (size_t i = 0; i < rows.labels.size(); ++i) {
      judgements.push_back({.photo = first + i,
                            .predicted = predictions[i],
                            .probability = probabilities[i * head.classes + predictions[i]],
                            .label_probability = probabilities[i * head.classes + rows.labels[i]],
                            .loss = losses[i]});
    }
  }
  return judgements;
}

// The first kMostSuspects by `key`, highest first; equal ones in their order.
std::vector<registry::Suspect> HighestBy(double Judgement::*key, std::vector<Judgement> judgements,
                                         const TrainInputs& inputs) {
  std::stable_sort(judgements.begin(), judgements.end(),
                   [key](const Judgement& a, const Judgement& b) { return a.*key > b.*key; });
  if (judgements.size() > registry::kMostSuspects) judgements.resize(registry::kMostSuspects);
  std::vector<registry::Suspect> suspects;
  for (const Judgement& judgement : judgements) {
    const dataset::Example& example = inputs.examples[inputs.split.train[judgement.photo]];
    suspects.push_back({.path = example.path,
                        .label = inputs.version.labels[example.label],
                        .predicted = inputs.version.labels[judgement.predicted],
                        .probability = judgement.probability,
                        .label_probability = judgement.label_probability,
                        .loss = judgement.loss});
  }
  return suspects;
}

// Training photos that the head, though trained on them, does not believe; none where their features were not kept.
absl::Status AddSuspects(const TrainInputs& inputs, const Candidate& candidate, const std::string& device,
                         Evaluation& evaluation) {
  const train::LabelledFeatures& train = candidate.splits.train;
  // Rows beyond the photos are further views of them.
  const size_t photos = std::min(train.labels.size(), inputs.split.train.size());
  ASSIGN_OR_RETURN(std::vector<Judgement> judgements,
                   Judge(candidate.trained.head, train, photos, evaluation.result.calibration->temperature, device));
  std::vector<Judgement> disagreements;
  for (const Judgement& judgement : judgements) {
    if (judgement.predicted != train.labels[judgement.photo]) disagreements.push_back(judgement);
  }
  evaluation.record.highest_loss = HighestBy(&Judgement::loss, std::move(judgements), inputs);
  evaluation.record.disagreements = HighestBy(&Judgement::probability, std::move(disagreements), inputs);
  return absl::OkStatus();
}

}  // namespace

Examples ExamplesAt(const Examples& examples, const std::vector<int>& indices) {
  Examples chosen;
  chosen.reserve(indices.size());
  for (const int index : indices) chosen.push_back(examples[index]);
  return chosen;
}

train::LabelledFeatures Select(const features::FeatureMatrix& matrix, const Examples& examples,
                               const std::vector<int>& indices) {
  train::LabelledFeatures selected{.dimension = matrix.dimension};
  selected.values.reserve(indices.size() * matrix.dimension);
  for (const int index : indices) {
    const auto row = matrix.values.begin() + static_cast<int64_t>(index) * matrix.dimension;
    selected.values.insert(selected.values.end(), row, row + matrix.dimension);
    selected.labels.push_back(examples[index].label);
  }
  return selected;
}

train::LabelledFeatures SelectAll(const features::FeatureMatrix& matrix, const Examples& examples) {
  std::vector<int> all(examples.size());
  std::iota(all.begin(), all.end(), 0);
  return Select(matrix, examples, all);
}

absl::StatusOr<jobs::PrecisionReport> MeasurePrecision(const TrainInputs& inputs, const Candidate& candidate,
                                                       const std::string& device, bool with_bf16,
                                                       const FeaturesIn& features_in) {
  Examples photos;
  std::vector<int> labels;
  for (const int index : MeasuredPhotos(inputs.split.validation)) {
    photos.push_back(inputs.examples[index]);
    labels.push_back(photos.back().label);
  }
  const auto measure = [&](Precision precision) -> absl::StatusOr<std::vector<int>> {
    const absl::StatusOr<features::FeatureMatrix> matrix = features_in(precision, photos);
    if (!matrix.ok()) return BlameComputing(device, matrix.status());
    const train::Head& head = candidate.trained.head;
    const absl::StatusOr<std::vector<float>> logits = train::Logits(head, SelectAll(*matrix, photos), device);
    if (!logits.ok()) return BlameComputing(device, logits.status());
    return evaluate::TopClasses(*logits, head.classes);
  };
  TopClassesByPrecision top;
  ASSIGN_OR_RETURN(top.f32, measure(Precision::kF32));
  if (with_bf16) {
    ASSIGN_OR_RETURN(top.bf16, measure(Precision::kBf16));
  }
  return Compare(candidate.precision, labels, top);
}

absl::StatusOr<Evaluation> EvaluateCandidate(const TrainInputs& inputs, const Candidate& candidate,
                                             const std::string& device) {
  const train::TrainedHead& trained = candidate.trained;
  ASSIGN_OR_RETURN(const ScoredSplit test, Score(trained.head, candidate.splits.test, device));
  ASSIGN_OR_RETURN(const ScoredSplit validation, Score(trained.head, candidate.splits.validation, device));
  const auto head_parameters = static_cast<int64_t>(trained.head.kernel.size() + trained.head.bias.size());
  Evaluation evaluation{.result = {.validation_loss = trained.validation_loss,
                                   .validation_accuracy = trained.validation_accuracy,
                                   .epochs_run = static_cast<int>(trained.history.size()),
                                   .best_epoch = trained.best_epoch,
                                   .parameters = inputs.backbone.parameters + head_parameters,
                                   .trainable_parameters = head_parameters,
                                   .calibration = Calibrate(validation, test)}};
  AddTestMetrics(test, inputs.version.labels, evaluation);
  RETURN_IF_ERROR(AddSuspects(inputs, candidate, device, evaluation));
  return evaluation;
}

}  // namespace graft::workflow
