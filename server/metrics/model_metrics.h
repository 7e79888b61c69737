// What each model answers, for at most 50 of them at a time.
#pragma once

#include <prometheus/collectable.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/metrics/sampled.h"

namespace graft::metrics {

// A model that answers gets series of its own while there are fewer than kMaxModels; the others share those of "other",
// which is no model's name for this. Series of a model that is in memory no more end at the next scrape. Thread-safe.
class ModelMetrics final : public prometheus::Collectable {
 public:
  static constexpr size_t kMaxModels = 50;
  static constexpr char kOther[] = "other";

  // `loaded`: the models that have a version in memory now; asked at each scrape.
  explicit ModelMetrics(std::function<std::set<std::string>()> loaded) : loaded_(std::move(loaded)) {}

  // `model` exists: names that a caller made up must not come here.
  void Answered(absl::string_view model, absl::Duration total) ABSL_LOCKS_EXCLUDED(mutex_);

  Families Collect() const override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Count {
    int64_t images = 0;
    absl::Duration time;
  };

  std::set<std::string> Known() const ABSL_LOCKS_EXCLUDED(mutex_);

  const std::function<std::set<std::string>()> loaded_;
  mutable absl::Mutex mutex_;
  mutable std::map<std::string, Count, std::less<>> models_ ABSL_GUARDED_BY(mutex_);
  Count other_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft::metrics
