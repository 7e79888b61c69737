// graft.v1.InferenceService: hands images to the classifier; nothing waits in a handler.
#pragma once

#include <memory>

#include "core/inference/classifier.h"
#include "core/registry/registry.h"
#include "graft/v1/inference.grpc.pb.h"
#include "server/metrics/classify_metrics.h"
#include "server/rpc/gate.h"
#include "server/rpc/slots.h"
#include "server/rpc/unary_call.h"
#include "server/services/classify_stream.h"

namespace graft::services {

// Thread-safe. What it points to outlives it; `metrics` may be null.
class InferenceService final : public v1::InferenceService::CallbackService {
 public:
  InferenceService(rpc::Gate* gate, inference::Classifier* classifier, registry::Registry* registry,
                   metrics::ClassifyMetrics* metrics)
      : gate_(gate),
        classifier_(classifier),
        registry_(registry),
        metrics_(metrics),
        stream_slots_(std::make_shared<rpc::Slots>(kMaxClassifyStreams)) {}

  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context, const v1::ClassifyRequest* request,
                                     v1::ClassifyResponse* response) override;
  grpc::ServerUnaryReactor* ClassifyBatch(grpc::CallbackServerContext* context, const v1::ClassifyBatchRequest* request,
                                          v1::ClassifyBatchResponse* response) override;
  grpc::ServerBidiReactor<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>* ClassifyStream(
      grpc::CallbackServerContext* context) override;

 private:
  void StartOne(const v1::ClassifyRequest& request, v1::ClassifyResponse* response, rpc::Call call);
  absl::Status StartBatch(const v1::ClassifyBatchRequest& request, v1::ClassifyBatchResponse* response,
                          const rpc::Call& call);

  rpc::Gate* const gate_;
  inference::Classifier* const classifier_;
  registry::Registry* const registry_;
  metrics::ClassifyMetrics* const metrics_;
  const std::shared_ptr<rpc::Slots> stream_slots_;
};

}  // namespace graft::services
