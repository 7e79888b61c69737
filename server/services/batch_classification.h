// The images of one request, each a classification of its own, answered together.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/inference/classifier.h"
#include "server/metrics/classify_metrics.h"

namespace graft::services {

inline constexpr int kMaxBatchImages = 32;
inline constexpr int64_t kMaxBatchBytes = 60 << 20;  // of all images, as sent

using Classifications = std::vector<absl::StatusOr<inference::Classification>>;

// Hands every call to the classifier and calls `done` once, after the last, with the answers in the calls' order.
void ClassifyAll(inference::Classifier* classifier, metrics::ClassifyMetrics* metrics,
                 std::vector<inference::ClassifyCall> calls, std::function<void(Classifications)> done);

// Of those that succeeded: images run side by side, so phases overlap. `total` is the longest image's.
inference::PhaseTimes LongestPhases(const Classifications& results);

// InvalidField for `field` unless it is 1 to 1000, or 0 for the default.
absl::Status CheckTopK(absl::string_view field, int top_k);

// Counts one finished image.
void Record(metrics::ClassifyMetrics* metrics, const absl::StatusOr<inference::Classification>& result);

}  // namespace graft::services
