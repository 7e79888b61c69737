#include "core/evaluate/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "core/evaluate/metrics.h"

namespace graft::evaluate {
namespace {

constexpr double kLowQuantile = 0.025, kHighQuantile = 0.975;

// `values` is sorted and not empty.
double Quantile(const std::vector<double>& values, double share) {
  const double position = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(std::floor(position));
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - static_cast<double>(below)) * (values[above] - values[below]);
}

Interval IntervalOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {.low = Quantile(values, kLowQuantile), .high = Quantile(values, kHighQuantile)};
}

}  // namespace

Intervals Bootstrap(absl::Span<const int> predictions, absl::Span<const int> labels, absl::Span<const double> losses,
                    int classes, uint32_t seed) {
  const size_t images = labels.size();
  if (images == 0) return {};
  RandomStream random(RandomKey({seed}));
  std::vector<double> accuracies, mean_losses, macro_f1s;
  std::vector<int> drawn_predictions(images), drawn_labels(images);
  for (int resample = 0; resample < kResamples; ++resample) {
    double loss = 0;
    for (size_t i = 0; i < images; ++i) {
      const size_t image = random.Below(images);
      drawn_predictions[i] = predictions[image];
      drawn_labels[i] = labels[image];
      loss += losses[image];
    }
    accuracies.push_back(Agreement(drawn_predictions, drawn_labels));
    mean_losses.push_back(loss / static_cast<double>(images));
    macro_f1s.push_back(MacroF1(drawn_predictions, drawn_labels, classes));
  }
  return {.accuracy = IntervalOf(std::move(accuracies)),
          .loss = IntervalOf(std::move(mean_losses)),
          .macro_f1 = IntervalOf(std::move(macro_f1s))};
}

}  // namespace graft::evaluate
