// graft.v1.ModelService.
#pragma once

#include <atomic>
#include <string>
#include <utility>

#include "core/inference/classifier.h"
#include "core/registry/registry.h"
#include "graft/v1/model.grpc.pb.h"
#include "server/rpc/gate.h"
#include "server/rpc/unary_call.h"

namespace graft::services {

inline constexpr int kMostComparedVersions = 100;
inline constexpr int kMostMeasuredVersions = 5;  // within the half minute that clients wait by default

// Thread-safe. What it points to outlives it.
class ModelService final : public v1::ModelService::CallbackService {
 public:
  // `weights_root`: of the backbones that versions share.
  ModelService(rpc::Gate* gate, registry::Registry* registry, inference::Classifier* classifier,
               std::string weights_root)
      : gate_(gate), registry_(registry), classifier_(classifier), weights_root_(std::move(weights_root)) {}

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModelVersion(grpc::CallbackServerContext* context,
                                            const v1::GetModelVersionRequest* request,
                                            v1::ModelVersion* response) override;
  grpc::ServerUnaryReactor* ListModelVersions(grpc::CallbackServerContext* context,
                                              const v1::ListModelVersionsRequest* request,
                                              v1::ListModelVersionsResponse* response) override;
  grpc::ServerUnaryReactor* SetAlias(grpc::CallbackServerContext* context, const v1::SetAliasRequest* request,
                                     v1::ModelVersion* response) override;
  grpc::ServerUnaryReactor* RollbackAlias(grpc::CallbackServerContext* context, const v1::RollbackAliasRequest* request,
                                          v1::ModelVersion* response) override;
  grpc::ServerUnaryReactor* ListAliasHistory(grpc::CallbackServerContext* context,
                                             const v1::ListAliasHistoryRequest* request,
                                             v1::ListAliasHistoryResponse* response) override;
  grpc::ServerUnaryReactor* DeleteModelVersion(grpc::CallbackServerContext* context,
                                               const v1::DeleteModelVersionRequest* request,
                                               v1::DeleteModelVersionResponse* response) override;
  grpc::ServerUnaryReactor* CompareModelVersions(grpc::CallbackServerContext* context,
                                                 const v1::CompareModelVersionsRequest* request,
                                                 v1::CompareModelVersionsResponse* response) override;
  grpc::ServerUnaryReactor* ListSuspects(grpc::CallbackServerContext* context, const v1::ListSuspectsRequest* request,
                                         v1::ListSuspectsResponse* response) override;

 private:
  absl::StatusOr<v1::ModelVersion> Get(absl::string_view field, absl::string_view name);
  absl::Status List(const v1::ListModelsRequest& request, const access::Principal& principal,
                    v1::ListModelsResponse& response);
  absl::Status ListVersions(const v1::ListModelVersionsRequest& request, v1::ListModelVersionsResponse& response);
  absl::Status PointAlias(const v1::SetAliasRequest& request, const rpc::UnaryCall& call, v1::ModelVersion& response);
  absl::Status MoveAliasBack(const v1::RollbackAliasRequest& request, const rpc::UnaryCall& call,
                             v1::ModelVersion& response);
  absl::Status ListMoves(const v1::ListAliasHistoryRequest& request, v1::ListAliasHistoryResponse& response);
  absl::Status Delete(const v1::DeleteModelVersionRequest& request);
  absl::Status Suspects(const v1::ListSuspectsRequest& request, const access::Principal& principal,
                        v1::ListSuspectsResponse& response);
  absl::Status Compare(const v1::CompareModelVersionsRequest& request, const rpc::UnaryCall& call,
                       v1::CompareModelVersionsResponse& response);
  // Adds to the costs of response.versions().
  absl::Status MeasureLatencies(const rpc::UnaryCall& call, v1::CompareModelVersionsResponse& response);

  rpc::Gate* const gate_;
  registry::Registry* const registry_;
  inference::Classifier* const classifier_;
  const std::string weights_root_;
  std::atomic<bool> measuring_ = false;  // latencies, which two measurements at once would falsify
};

}  // namespace graft::services
