// One inference request of the Open Inference Protocol: its tensors to classifications, those to its response.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "core/inference/classifier.h"
#include "inference/grpc_service.pb.h"
#include "server/metrics/classify_metrics.h"
#include "server/services/open_inference_models.h"
#include "server/services/open_inference_statistics.h"

namespace graft::services {

struct InferCall {
  const ::inference::ModelInferRequest* request;  // both valid until done
  ::inference::ModelInferResponse* response;
  absl::Time deadline;
  std::shared_ptr<Cancellation> cancellation;
};

// Thread-safe. What it points to outlives it and its calls; `metrics` may be null.
class OpenInference {
 public:
  OpenInference(inference::Classifier* classifier, OpenInferenceModels* models, OpenInferenceStatistics* statistics,
                metrics::ClassifyMetrics* metrics)
      : classifier_(classifier), models_(models), statistics_(statistics), metrics_(metrics) {}

  // Reads the database, and converts pixels on this thread. `done` is called exactly once, on any thread. An image that
  // fails fails the request, which has no other place for it: its error says which image.
  void Infer(InferCall call, std::function<void(absl::Status)> done);

 private:
  inference::Classifier* const classifier_;
  OpenInferenceModels* const models_;
  OpenInferenceStatistics* const statistics_;
  metrics::ClassifyMetrics* const metrics_;
};

}  // namespace graft::services
