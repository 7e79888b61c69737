#include "core/workflow/training_views.h"

#include <cstdint>

namespace graft::workflow {

void ReserveViews(int views, train::LabelledFeatures& features) {
  const auto count = static_cast<size_t>(views);
  features.values.reserve(features.values.size() * count);
  features.labels.reserve(features.labels.size() * count);
}

void AppendView(const features::FeatureMatrix& matrix, train::LabelledFeatures& features) {
  const auto images = static_cast<int64_t>(features.labels.size()) / features.views;
  const std::vector<int> labels(features.labels.begin(), features.labels.begin() + images);
  features.values.insert(features.values.end(), matrix.values.begin(), matrix.values.end());
  features.labels.insert(features.labels.end(), labels.begin(), labels.end());
  ++features.views;
}

jobs::FeatureProgress ViewsProgress::Event(const features::FeatureProgress& of_view) const {
  jobs::FeatureProgress event{.images_done = computed_ + from_cache_ + of_view.images_done,
                              .images_total = rows_,
                              .images_per_second = of_view.images_per_second};
  if (event.images_per_second > 0) {
    event.seconds_left = (event.images_total - event.images_done) / event.images_per_second;
  }
  return event;
}

void ViewsProgress::Count(const features::FeatureMatrix& matrix) {
  computed_ += matrix.images_computed;
  from_cache_ += matrix.images_from_cache;
  cost_ += matrix.cost;
}

jobs::FeaturesReady ViewsProgress::Ready(absl::Duration time) const {
  return {.images_computed = computed_,
          .images_from_cache = from_cache_,
          .seconds = absl::ToDoubleSeconds(time),
          .loader_images_per_second = cost_.decoded_per_second(),
          .engine_images_per_second = cost_.forwarded_per_second()};
}

}  // namespace graft::workflow
