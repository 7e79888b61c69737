#include "server/services/model_service.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "server/rpc/unary_call.h"
#include "server/services/convert.h"
#include "server/services/page_token.h"

namespace graft::services {

absl::StatusOr<v1::ModelVersion> ModelService::Get(absl::string_view field, absl::string_view name) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference(field, "models", name));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, registry_->Find(reference));
  return ToProto(version);
}

absl::Status ModelService::List(const v1::ListModelsRequest& request, v1::ListModelsResponse& response) {
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, DecodePageToken("models", request.page_token()));
  ASSIGN_OR_RETURN(std::vector<registry::ModelSummary> models, registry_->ListModels(after, page_size + 1));
  const bool more = TrimToPage(models, page_size);
  for (const registry::ModelSummary& model : models) {
    ASSIGN_OR_RETURN(*response.add_models(), ToProto(model));
  }
  if (more) response.set_next_page_token(EncodePageToken("models", models.back().latest.model));
  return absl::OkStatus();
}

absl::Status ModelService::ListVersions(const v1::ListModelVersionsRequest& request,
                                        v1::ListModelVersionsResponse& response) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("model", "models", request.model()));
  if (reference.number || reference.alias) return InvalidField("model", "must name a model without version or alias");
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  const std::string list = absl::StrCat("models/", reference.name, "/versions");
  ASSIGN_OR_RETURN(const std::string key, DecodePageToken(list, request.page_token()));
  int before = 0;
  if (!key.empty() && (!absl::SimpleAtoi(key, &before) || before < 1)) {
    return InvalidField("page_token", "is not a next_page_token of this list; leave it empty to start again");
  }
  ASSIGN_OR_RETURN(std::vector<registry::ModelVersion> versions,
                   registry_->ListVersions(reference.name, before, page_size + 1));
  const bool more = TrimToPage(versions, page_size);
  for (const registry::ModelVersion& version : versions) {
    ASSIGN_OR_RETURN(*response.add_versions(), ToProto(version));
  }
  if (more) response.set_next_page_token(EncodePageToken(list, absl::StrCat(versions.back().number)));
  return absl::OkStatus();
}

absl::Status ModelService::PointAlias(const v1::SetAliasRequest& request, v1::ModelVersion& response) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("name", "models", request.name()));
  RETURN_IF_ERROR(ValidateName("alias", request.alias()));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, registry_->SetAlias(reference, request.alias()));
  ASSIGN_OR_RETURN(response, ToProto(version));
  return absl::OkStatus();
}

absl::Status ModelService::Compare(const v1::CompareModelVersionsRequest& request,
                                   v1::CompareModelVersionsResponse& response) {
  if (request.names().empty() || request.names_size() > 100) {
    return InvalidField("names", absl::StrCat("must name 1 to 100 versions, not ", request.names_size()));
  }
  for (int i = 0; i < request.names_size(); ++i) {
    ASSIGN_OR_RETURN(*response.add_versions(), Get(absl::StrCat("names[", i, "]"), request.names(i)));
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* ModelService::ListModels(grpc::CallbackServerContext* context,
                                                   const v1::ListModelsRequest* request,
                                                   v1::ListModelsResponse* response) {
  return rpc::Unary(gate_, context, "graft.v1.ModelService/ListModels",
                    [this, request, response] { return List(*request, *response); });
}

grpc::ServerUnaryReactor* ModelService::GetModelVersion(grpc::CallbackServerContext* context,
                                                        const v1::GetModelVersionRequest* request,
                                                        v1::ModelVersion* response) {
  return rpc::Unary(gate_, context, "graft.v1.ModelService/GetModelVersion",
                    [this, request, response]() -> absl::Status {
                      ASSIGN_OR_RETURN(*response, Get("name", request->name()));
                      return absl::OkStatus();
                    });
}

grpc::ServerUnaryReactor* ModelService::ListModelVersions(grpc::CallbackServerContext* context,
                                                          const v1::ListModelVersionsRequest* request,
                                                          v1::ListModelVersionsResponse* response) {
  return rpc::Unary(gate_, context, "graft.v1.ModelService/ListModelVersions",
                    [this, request, response] { return ListVersions(*request, *response); });
}

grpc::ServerUnaryReactor* ModelService::SetAlias(grpc::CallbackServerContext* context,
                                                 const v1::SetAliasRequest* request, v1::ModelVersion* response) {
  return rpc::Unary(gate_, context, "graft.v1.ModelService/SetAlias",
                    [this, request, response] { return PointAlias(*request, *response); });
}

grpc::ServerUnaryReactor* ModelService::CompareModelVersions(grpc::CallbackServerContext* context,
                                                             const v1::CompareModelVersionsRequest* request,
                                                             v1::CompareModelVersionsResponse* response) {
  return rpc::Unary(gate_, context, "graft.v1.ModelService/CompareModelVersions",
                    [this, request, response] { return Compare(*request, *response); });
}

}  // namespace graft::services
