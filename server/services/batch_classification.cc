#include "server/services/batch_classification.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/errors.h"

namespace graft::services {
namespace {

// Gathers the answers of one batch. Thread-safe.
class Gathering {
 public:
  Gathering(size_t images, std::function<void(Classifications)> done)
      : done_(std::move(done)), missing_(images), results_(images) {}

  void Take(size_t index, absl::StatusOr<inference::Classification> result) ABSL_LOCKS_EXCLUDED(mutex_) {
    Classifications results;
    {
      absl::MutexLock lock(&mutex_);
      results_[index] = std::move(result);
      if (--missing_ > 0) return;
      results = std::move(results_);
    }
    done_(std::move(results));
  }

 private:
  const std::function<void(Classifications)> done_;
  absl::Mutex mutex_;
  size_t missing_ ABSL_GUARDED_BY(mutex_);
  Classifications results_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status CheckTopK(absl::string_view field, int top_k) {
  if (top_k >= 0 && top_k <= inference::kMaxTopK) return absl::OkStatus();
  return InvalidField(field,
                      absl::StrCat("must be 1 to ", inference::kMaxTopK, ", or 0 for ", inference::kDefaultTopK));
}

void Record(metrics::ClassifyMetrics* metrics, const absl::StatusOr<inference::Classification>& result) {
  if (metrics == nullptr) return;
  if (result.ok()) {
    metrics->Answered(*result);
  } else {
    metrics->Failed(result.status().code());
  }
}

inference::PhaseTimes LongestPhases(const Classifications& results) {
  inference::PhaseTimes longest;
  for (const auto& result : results) {
    if (!result.ok()) continue;
    longest.decode = std::max(longest.decode, result->times.decode);
    longest.queue = std::max(longest.queue, result->times.queue);
    longest.forward = std::max(longest.forward, result->times.forward);
    longest.total = std::max(longest.total, result->times.total);
  }
  return longest;
}

void ClassifyAll(inference::Classifier* classifier, metrics::ClassifyMetrics* metrics,
                 std::vector<inference::ClassifyCall> calls, std::function<void(Classifications)> done) {
  auto gathering = std::make_shared<Gathering>(calls.size(), std::move(done));
  for (size_t i = 0; i < calls.size(); ++i) {
    classifier->Classify(std::move(calls[i]),
                         [gathering, metrics, i](absl::StatusOr<inference::Classification> result) {
                           Record(metrics, result);
                           gathering->Take(i, std::move(result));
                         });
  }
}

}  // namespace graft::services
