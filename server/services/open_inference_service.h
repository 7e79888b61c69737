// inference.GRPCInferenceService: the Open Inference Protocol v2 with Triton's extensions, over the same classifier and
// registry as graft.v1.InferenceService.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "core/inference/classifier.h"
#include "core/registry/registry.h"
#include "inference/grpc_service.grpc.pb.h"
#include "server/metrics/classify_metrics.h"
#include "server/rpc/gate.h"
#include "server/rpc/slots.h"
#include "server/rpc/unary_call.h"
#include "server/services/open_inference_infer.h"
#include "server/services/open_inference_models.h"
#include "server/services/open_inference_statistics.h"
#include "server/services/open_inference_stream.h"

namespace graft::services {

// Thread-safe. What it points to outlives it; `metrics` may be null.
class OpenInferenceService final : public ::inference::GRPCInferenceService::CallbackService {
 public:
  OpenInferenceService(rpc::Gate* gate, inference::Classifier* classifier, registry::Registry* registry,
                       metrics::ClassifyMetrics* metrics, std::string server_version)
      : gate_(gate),
        classifier_(classifier),
        registry_(registry),
        server_version_(std::move(server_version)),
        models_(registry),
        inference_(classifier, &models_, &statistics_, metrics) {}

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const ::inference::ServerLiveRequest* request,
                                       ::inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const ::inference::ServerReadyRequest* request,
                                        ::inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context,
                                       const ::inference::ModelReadyRequest* request,
                                       ::inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const ::inference::ServerMetadataRequest* request,
                                           ::inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const ::inference::ModelMetadataRequest* request,
                                          ::inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const ::inference::ModelInferRequest* request,
                                       ::inference::ModelInferResponse* response) override;
  grpc::ServerBidiReactor<::inference::ModelInferRequest, ::inference::ModelStreamInferResponse>* ModelStreamInfer(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ModelConfig(grpc::CallbackServerContext* context,
                                        const ::inference::ModelConfigRequest* request,
                                        ::inference::ModelConfigResponse* response) override;
  grpc::ServerUnaryReactor* ModelStatistics(grpc::CallbackServerContext* context,
                                            const ::inference::ModelStatisticsRequest* request,
                                            ::inference::ModelStatisticsResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryIndex(grpc::CallbackServerContext* context,
                                            const ::inference::RepositoryIndexRequest* request,
                                            ::inference::RepositoryIndexResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryModelLoad(grpc::CallbackServerContext* context,
                                                const ::inference::RepositoryModelLoadRequest* request,
                                                ::inference::RepositoryModelLoadResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryModelUnload(grpc::CallbackServerContext* context,
                                                  const ::inference::RepositoryModelUnloadRequest* request,
                                                  ::inference::RepositoryModelUnloadResponse* response) override;

 private:
  void AnswerReady(const ::inference::ModelReadyRequest& request, ::inference::ModelReadyResponse& response,
                   const rpc::Call& call);
  absl::Status FillMetadata(const ::inference::ModelMetadataRequest& request,
                            ::inference::ModelMetadataResponse& response);
  absl::Status FillConfig(const ::inference::ModelConfigRequest& request, ::inference::ModelConfigResponse& response);
  absl::Status FillStatistics(const ::inference::ModelStatisticsRequest& request, const access::Principal& principal,
                              ::inference::ModelStatisticsResponse& response);
  absl::Status FillIndex(const ::inference::RepositoryIndexRequest& request, const access::Principal& principal,
                         ::inference::RepositoryIndexResponse& response);
  absl::Status StartLoad(const ::inference::RepositoryModelLoadRequest& request, const rpc::Call& call);
  absl::Status Unload(const ::inference::RepositoryModelUnloadRequest& request);

  rpc::Gate* const gate_;
  inference::Classifier* const classifier_;
  registry::Registry* const registry_;
  const std::string server_version_;
  OpenInferenceModels models_;
  OpenInferenceStatistics statistics_;
  OpenInference inference_;
  const std::shared_ptr<rpc::Slots> stream_slots_ = std::make_shared<rpc::Slots>(kMaxInferStreams);
};

}  // namespace graft::services
