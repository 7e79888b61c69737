// A job's features: from the cache, else computed, with events that say how far it is.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/features/feature_cache.h"
#include "core/workflow/attempt.h"
#include "core/workflow/candidate.h"

namespace graft::workflow {

// Errors are those of features::FeatureCache and of loading an engine, with whose matter they are; a job whose time
// limit strikes before it has any features fails. One thread at a time.
class JobFeatures {
 public:
  explicit JobFeatures(const Attempt& attempt) : attempt_(attempt) {}

  // Of the photos, in their order, with `inputs.weights`.
  absl::StatusOr<features::FeatureMatrix> Get(const TrainInputs& inputs, engine::Precision precision,
                                              const Examples& photos);
  // Of the examples at `indices`, with their labels.
  absl::StatusOr<train::LabelledFeatures> At(const TrainInputs& inputs, engine::Precision precision,
                                             const std::vector<int>& indices);
  // Of all examples, and of the views that the spec asks for of train photos; `start`: when preparing began.
  absl::StatusOr<Splits> OfSplits(const TrainInputs& inputs, engine::Precision precision, absl::Time start);

  // From now on those of the job's own weights: in its folder, so that they neither push others out nor stay for ever.
  void UseOwnCache();
  bool uses_own_cache() const { return own_cache_.has_value(); }

 private:
  using OnProgress = std::function<void(const features::FeatureProgress&)>;

  absl::StatusOr<features::FeatureMatrix> GetView(const TrainInputs& inputs, engine::Precision precision,
                                                  const Examples& photos, const features::PhotoView& view,
                                                  const OnProgress& report);

  const Attempt& attempt_;
  std::optional<features::FeatureCache> own_cache_;
};

}  // namespace graft::workflow
