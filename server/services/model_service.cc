#include "server/services/model_service.h"

#include <future>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "server/rpc/unary_call.h"
#include "server/services/convert.h"
#include "server/services/page_token.h"

namespace graft::services {
namespace {

// The name of a model, not of one of its versions.
absl::StatusOr<std::string> ModelNameOf(absl::string_view text) {
  ASSIGN_OR_RETURN(VersionReference reference, ParseVersionReference("model", "models", text));
  if (reference.number || reference.alias) return InvalidField("model", "must name a model without version or alias");
  return std::move(reference.name);
}

// A list from the newest back: the number below which the page's items lie; 0 for the first page.
template <typename Number>
absl::StatusOr<Number> BeforeOf(absl::string_view list, absl::string_view page_token) {
  ASSIGN_OR_RETURN(const std::string key, DecodePageToken(list, page_token));
  Number before = 0;
  if (!key.empty() && (!absl::SimpleAtoi(key, &before) || before < 1)) {
    return InvalidField("page_token", "is not a next_page_token of this list; leave it empty to start again");
  }
  return before;
}

}  // namespace

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
  ASSIGN_OR_RETURN(const std::string model, ModelNameOf(request.model()));
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  const std::string list = absl::StrCat("models/", model, "/versions");
  ASSIGN_OR_RETURN(const int before, BeforeOf<int>(list, request.page_token()));
  ASSIGN_OR_RETURN(std::vector<registry::ModelVersion> versions, registry_->ListVersions(model, before, page_size + 1));
  const bool more = TrimToPage(versions, page_size);
  for (const registry::ModelVersion& version : versions) {
    ASSIGN_OR_RETURN(*response.add_versions(), ToProto(version));
  }
  if (more) response.set_next_page_token(EncodePageToken(list, absl::StrCat(versions.back().number)));
  return absl::OkStatus();
}

// Waits, on a request thread, until the version could answer at once.
absl::Status ModelService::LoadNow(const std::string& version) {
  const auto loaded = std::make_shared<std::promise<absl::Status>>();
  classifier_->Load(version, [loaded](absl::Status status) { loaded->set_value(std::move(status)); });
  return loaded->get_future().get();
}

absl::Status ModelService::PointAlias(const v1::SetAliasRequest& request, v1::ModelVersion& response) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("name", "models", request.name()));
  RETURN_IF_ERROR(ValidateName("alias", request.alias()));
  // Before the switch, so that no call to the alias waits for it; what cannot be loaded is not promoted.
  RETURN_IF_ERROR(LoadNow(request.name()));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, registry_->SetAlias(reference, request.alias()));
  ASSIGN_OR_RETURN(response, ToProto(version));
  return absl::OkStatus();
}

absl::Status ModelService::MoveAliasBack(const v1::RollbackAliasRequest& request, v1::ModelVersion& response) {
  ASSIGN_OR_RETURN(const std::string model, ModelNameOf(request.model()));
  RETURN_IF_ERROR(ValidateName("alias", request.alias()));
  if (request.from() < 0) return InvalidField("from", "must be a version number, or 0 for whichever it is");
  const std::optional<int> from = request.from() == 0 ? std::nullopt : std::optional<int>(request.from());
  // Likewise before the switch. The alias may move in between; then its first call loads.
  ASSIGN_OR_RETURN(const int target, registry_->RollbackTarget(model, request.alias(), from));
  RETURN_IF_ERROR(LoadNow(VersionName("models", model, target)));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, registry_->RollBackAlias(model, request.alias(), from));
  ASSIGN_OR_RETURN(response, ToProto(version));
  return absl::OkStatus();
}

absl::Status ModelService::ListMoves(const v1::ListAliasHistoryRequest& request,
                                     v1::ListAliasHistoryResponse& response) {
  ASSIGN_OR_RETURN(const std::string model, ModelNameOf(request.model()));
  if (!request.alias().empty()) RETURN_IF_ERROR(ValidateName("alias", request.alias()));
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  const std::string list = absl::StrCat("models/", model, "/aliases/", request.alias(), "/history");
  ASSIGN_OR_RETURN(const int64_t before, BeforeOf<int64_t>(list, request.page_token()));
  ASSIGN_OR_RETURN(std::vector<registry::AliasMove> moves,
                   registry_->AliasHistory(model, request.alias(), before, page_size + 1));
  const bool more = TrimToPage(moves, page_size);
  for (const registry::AliasMove& move : moves) *response.add_moves() = ToProto(model, move);
  if (more) response.set_next_page_token(EncodePageToken(list, absl::StrCat(moves.back().sequence)));
  return absl::OkStatus();
}

absl::Status ModelService::Delete(const v1::DeleteModelVersionRequest& request) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("name", "models", request.name()));
  if (!reference.number) return InvalidField("name", "must name one version by its number, for example animals:3");
  return registry_->Delete(reference.name, *reference.number);
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

grpc::ServerUnaryReactor* ModelService::RollbackAlias(grpc::CallbackServerContext* context,
                                                      const v1::RollbackAliasRequest* request,
                                                      v1::ModelVersion* response) {
  return rpc::Unary(gate_, context, "graft.v1.ModelService/RollbackAlias",
                    [this, request, response] { return MoveAliasBack(*request, *response); });
}

grpc::ServerUnaryReactor* ModelService::ListAliasHistory(grpc::CallbackServerContext* context,
                                                         const v1::ListAliasHistoryRequest* request,
                                                         v1::ListAliasHistoryResponse* response) {
  return rpc::Unary(gate_, context, "graft.v1.ModelService/ListAliasHistory",
                    [this, request, response] { return ListMoves(*request, *response); });
}

grpc::ServerUnaryReactor* ModelService::DeleteModelVersion(grpc::CallbackServerContext* context,
                                                           const v1::DeleteModelVersionRequest* request,
                                                           v1::DeleteModelVersionResponse*) {
  return rpc::Unary(gate_, context, "graft.v1.ModelService/DeleteModelVersion",
                    [this, request] { return Delete(*request); });
}

grpc::ServerUnaryReactor* ModelService::CompareModelVersions(grpc::CallbackServerContext* context,
                                                             const v1::CompareModelVersionsRequest* request,
                                                             v1::CompareModelVersionsResponse* response) {
  return rpc::Unary(gate_, context, "graft.v1.ModelService/CompareModelVersions",
                    [this, request, response] { return Compare(*request, *response); });
}

}  // namespace graft::services
