#include "core/workflow/precision.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "core/evaluate/metrics.h"

namespace graft::workflow {
namespace {

constexpr double kToleratedLoss = 0.005;

}  // namespace

std::vector<int> MeasuredPhotos(const std::vector<int>& indices) {
  const auto all = static_cast<int64_t>(indices.size());
  const int64_t count = std::min<int64_t>(all, kMostMeasuredPhotos);
  std::vector<int> measured;
  for (int64_t i = 0; i < count; ++i) measured.push_back(indices[static_cast<size_t>(i * all / count)]);
  return measured;
}

jobs::PrecisionReport Compare(engine::Precision precision, const std::vector<int>& labels,
                              const TopClassesByPrecision& top) {
  jobs::PrecisionReport report{.precision = std::string(engine::NameOf(precision)),
                               .images = static_cast<int>(labels.size())};
  if (top.f32) report.accuracy_f32 = evaluate::Agreement(*top.f32, labels);
  if (top.bf16) report.accuracy_bf16 = evaluate::Agreement(*top.bf16, labels);
  if (top.f32 && top.bf16) report.agreement = evaluate::Agreement(*top.f32, *top.bf16);
  return report;
}

engine::Precision ChooseBy(const jobs::PrecisionReport& report) {
  // In photos, so that a loss of exactly the tolerated share is one.
  const double lost = std::round((*report.accuracy_f32 - *report.accuracy_bf16) * report.images);
  return lost <= kToleratedLoss * report.images ? engine::Precision::kBf16 : engine::Precision::kF32;
}

}  // namespace graft::workflow
