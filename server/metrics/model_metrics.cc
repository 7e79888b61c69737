#include "server/metrics/model_metrics.h"

namespace graft::metrics {

void ModelMetrics::Answered(absl::string_view model, absl::Duration total) {
  absl::MutexLock lock(&mutex_);
  auto found = models_.find(model);
  if (found == models_.end() && models_.size() < kMaxModels && model != kOther) {
    found = models_.emplace(model, Count()).first;
  }
  Count& count = found == models_.end() ? other_ : found->second;
  ++count.images;
  count.time += total;
}

std::set<std::string> ModelMetrics::Known() const {
  absl::MutexLock lock(&mutex_);
  std::set<std::string> names;
  for (const auto& [name, count] : models_) names.insert(name);
  return names;
}

Families ModelMetrics::Collect() const {
  // Asked without the lock, since callers of Answered must not wait for it: a model that comes meanwhile stays.
  const std::set<std::string> known = Known();
  const std::set<std::string> loaded = loaded_();
  std::vector<Sample> images, seconds;
  const auto add = [&](const std::string& model, const Count& count) {
    images.push_back({static_cast<double>(count.images), {{"model", model}}});
    seconds.push_back({absl::ToDoubleSeconds(count.time), {{"model", model}}});
  };
  absl::MutexLock lock(&mutex_);
  for (auto model = models_.begin(); model != models_.end();) {
    const auto here = model++;
    if (known.count(here->first) > 0 && loaded.count(here->first) == 0) {
      models_.erase(here);
    } else {
      add(here->first, here->second);
    }
  }
  if (other_.images > 0) add(kOther, other_);
  return {Counter("graft_model_images_total", "Images answered, by model.", images),
          Counter("graft_model_image_seconds_total", "Time from an image's arrival to its answer, by model.", seconds)};
}

}  // namespace graft::metrics
