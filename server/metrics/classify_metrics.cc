#include "server/metrics/classify_metrics.h"

namespace graft::metrics {
namespace {

prometheus::Histogram& AddPhase(prometheus::Family<prometheus::Histogram>& family, const char* phase) {
  return family.Add({{"phase", phase}}, prometheus::Histogram::BucketBoundaries{0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                                                0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5});
}

}  // namespace

ClassifyMetrics::ClassifyMetrics(prometheus::Registry& registry)
    : phases_(prometheus::BuildHistogram()
                  .Name("graft_classify_phase_seconds")
                  .Help("Time of one classified image, by phase.")
                  .Register(registry)),
      decode_(AddPhase(phases_, "decode")),
      queue_(AddPhase(phases_, "queue")),
      forward_(AddPhase(phases_, "forward")),
      total_(AddPhase(phases_, "total")),
      images_(prometheus::BuildCounter()
                  .Name("graft_classify_images_total")
                  .Help("Images of Classify and ClassifyBatch, by how they ended.")
                  .Register(registry)),
      answered_(images_.Add({{"code", "OK"}})) {}

void ClassifyMetrics::Answered(absl::Duration decode, absl::Duration queue, absl::Duration forward,
                               absl::Duration total) {
  decode_.Observe(absl::ToDoubleSeconds(decode));
  queue_.Observe(absl::ToDoubleSeconds(queue));
  forward_.Observe(absl::ToDoubleSeconds(forward));
  total_.Observe(absl::ToDoubleSeconds(total));
  answered_.Increment();
}

void ClassifyMetrics::Failed(absl::StatusCode code) {
  images_.Add({{"code", absl::StatusCodeToString(code)}}).Increment();
}

}  // namespace graft::metrics
