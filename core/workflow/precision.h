// Which precision a version is served in, judged by what its head does on validation photos in each.
#pragma once

#include <optional>
#include <vector>

#include "core/engine/engine.h"
#include "core/jobs/job.h"

namespace graft::workflow {

// How many validation photos are looked at.
inline constexpr int kMostMeasuredPhotos = 500;

// At most kMostMeasuredPhotos of `indices`, evenly spread over them: they come ordered by class.
std::vector<int> MeasuredPhotos(const std::vector<int>& indices);

// One head's top classes of the same photos; those of a precision that the device lacks are absent.
struct TopClassesByPrecision {
  std::optional<std::vector<int>> f32, bf16;
};

// Accuracy in each and the agreement between them; `precision` is what the head was trained on.
jobs::PrecisionReport Compare(engine::Precision precision, const std::vector<int>& labels,
                              const TopClassesByPrecision& top);

// bf16, unless it gets more than 1 in 200 photos fewer right than f32. Both were measured.
engine::Precision ChooseBy(const jobs::PrecisionReport& report);

}  // namespace graft::workflow
