#include "server/metrics/classify_metrics.h"

#include <algorithm>

#include "core/base/ids.h"
#include "server/metrics/buckets.h"

namespace graft::metrics {
namespace {

prometheus::Histogram& AddPhase(prometheus::Family<prometheus::Histogram>& family, const char* phase) {
  return family.Add({{"phase", phase}}, RequestBuckets());
}

}  // namespace

ClassifyMetrics::ClassifyMetrics(prometheus::Registry& registry, ModelMetrics* models)
    : models_(models),
      phases_(prometheus::BuildHistogram()
                  .Name("graft_classify_phase_seconds")
                  .Help("Time of one answered image, by phase.")
                  .Register(registry)),
      decode_(AddPhase(phases_, "decode")),
      queue_(AddPhase(phases_, "queue")),
      forward_(AddPhase(phases_, "forward")),
      postprocess_(AddPhase(phases_, "postprocess")),
      total_(AddPhase(phases_, "total")),
      images_(prometheus::BuildCounter()
                  .Name("graft_classify_images_total")
                  .Help("Images of every way to classify, by how they ended.")
                  .Register(registry)),
      answered_(images_.Add({{"code", "OK"}})) {}

void ClassifyMetrics::Answered(const inference::Classification& result) {
  const inference::PhaseTimes& times = result.times;
  decode_.Observe(absl::ToDoubleSeconds(times.decode));
  queue_.Observe(absl::ToDoubleSeconds(times.queue));
  forward_.Observe(absl::ToDoubleSeconds(std::max(times.forward - times.postprocess, absl::ZeroDuration())));
  postprocess_.Observe(absl::ToDoubleSeconds(times.postprocess));
  total_.Observe(absl::ToDoubleSeconds(times.total));
  answered_.Increment();
  const auto version = ParseVersionReference("model", "models", result.model_version);
  if (version.ok()) models_->Answered(version->name, times.total);
}

void ClassifyMetrics::Failed(absl::StatusCode code) {
  images_.Add({{"code", absl::StatusCodeToString(code)}}).Increment();
}

}  // namespace graft::metrics
