// graft.v1.ModelService.
#pragma once

#include "core/inference/classifier.h"
#include "core/registry/registry.h"
#include "graft/v1/model.grpc.pb.h"
#include "server/rpc/gate.h"

namespace graft::services {

// Thread-safe. What it points to outlives it.
class ModelService final : public v1::ModelService::CallbackService {
 public:
  ModelService(rpc::Gate* gate, registry::Registry* registry, inference::Classifier* classifier)
      : gate_(gate), registry_(registry), classifier_(classifier) {}

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

 private:
  absl::StatusOr<v1::ModelVersion> Get(absl::string_view field, absl::string_view name);
  absl::Status List(const v1::ListModelsRequest& request, v1::ListModelsResponse& response);
  absl::Status ListVersions(const v1::ListModelVersionsRequest& request, v1::ListModelVersionsResponse& response);
  absl::Status LoadNow(const std::string& version);
  absl::Status PointAlias(const v1::SetAliasRequest& request, v1::ModelVersion& response);
  absl::Status MoveAliasBack(const v1::RollbackAliasRequest& request, v1::ModelVersion& response);
  absl::Status ListMoves(const v1::ListAliasHistoryRequest& request, v1::ListAliasHistoryResponse& response);
  absl::Status Delete(const v1::DeleteModelVersionRequest& request);
  absl::Status Compare(const v1::CompareModelVersionsRequest& request, v1::CompareModelVersionsResponse& response);

  rpc::Gate* const gate_;
  registry::Registry* const registry_;
  inference::Classifier* const classifier_;
};

}  // namespace graft::services
