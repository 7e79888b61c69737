#include "server/services/model_service.h"

#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "core/inference/latency.h"
#include "core/registry/evaluation_record.h"
#include "core/registry/manifest.h"
#include "server/services/convert.h"
#include "server/services/model_comparison.h"
#include "server/services/page_token.h"
#include "server/services/visible.h"

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

// What a version says of data sets and models that this caller may not use.
void HideBeyond(const access::Principal& principal, v1::ModelVersion& version) {
  if (!principal.limited()) return;
  if (!principal.MayUse(version.dataset_version())) {
    version.clear_dataset_version();
    version.clear_dataset_digest();
    version.mutable_spec()->clear_dataset();
  }
  if (!principal.MayUse(version.init_from())) {
    version.clear_init_from();
    version.mutable_spec()->clear_init_from();
  }
  if (!principal.MayUse(version.spec().teacher())) version.mutable_spec()->clear_teacher();
}

}  // namespace

absl::StatusOr<v1::ModelVersion> ModelService::Get(absl::string_view field, absl::string_view name) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference(field, "models", name));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, registry_->Find(reference));
  return ToProto(version);
}

absl::Status ModelService::List(const v1::ListModelsRequest& request, const access::Principal& principal,
                                v1::ListModelsResponse& response) {
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, DecodePageToken("models", request.page_token()));
  const auto name_of = [](const registry::ModelSummary& model) { return model.latest.model; };
  ASSIGN_OR_RETURN(std::vector<registry::ModelSummary> models,
                   VisiblePage<registry::ModelSummary>(
                       principal.limited(), after, page_size + 1,
                       [this](const std::string& key, int limit) { return registry_->ListModels(key, limit); }, name_of,
                       [&](const registry::ModelSummary& model) { return principal.MayUse(name_of(model)); }));
  const bool more = TrimToPage(models, page_size);
  for (const registry::ModelSummary& model : models) {
    ASSIGN_OR_RETURN(*response.add_models(), ToProto(model));
    v1::ModelVersion& latest = *response.mutable_models()->rbegin()->mutable_latest();
    LeaveOutDetails(*latest.mutable_metrics());
    HideBeyond(principal, latest);
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
    LeaveOutDetails(*response.mutable_versions()->rbegin()->mutable_metrics());
  }
  if (more) response.set_next_page_token(EncodePageToken(list, absl::StrCat(versions.back().number)));
  return absl::OkStatus();
}

absl::Status ModelService::PointAlias(const v1::SetAliasRequest& request, const rpc::UnaryCall& call,
                                      v1::ModelVersion& response) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("name", "models", request.name()));
  RETURN_IF_ERROR(ValidateName("alias", request.alias()));
  // Before the switch, so that no call to the alias waits for it; what cannot be loaded is not promoted.
  RETURN_IF_ERROR(inference::LoadNow(*classifier_, request.name(), call.deadline(), call.cancellation()));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, registry_->SetAlias(reference, request.alias()));
  ASSIGN_OR_RETURN(response, ToProto(version));
  return absl::OkStatus();
}

absl::Status ModelService::MoveAliasBack(const v1::RollbackAliasRequest& request, const rpc::UnaryCall& call,
                                         v1::ModelVersion& response) {
  ASSIGN_OR_RETURN(const std::string model, ModelNameOf(request.model()));
  RETURN_IF_ERROR(ValidateName("alias", request.alias()));
  if (request.from() < 0) return InvalidField("from", "must be a version number, or 0 for whichever it is");
  const std::optional<int> from = request.from() == 0 ? std::nullopt : std::optional<int>(request.from());
  // Likewise before the switch. The alias may move in between; then its first call loads.
  ASSIGN_OR_RETURN(const int target, registry_->RollbackTarget(model, request.alias(), from));
  RETURN_IF_ERROR(
      inference::LoadNow(*classifier_, VersionName("models", model, target), call.deadline(), call.cancellation()));
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
  RETURN_IF_ERROR(registry_->Delete(reference.name, *reference.number));
  classifier_->Forget(reference.name, *reference.number);
  return absl::OkStatus();
}

absl::Status ModelService::Suspects(const v1::ListSuspectsRequest& request, const access::Principal& principal,
                                    v1::ListSuspectsResponse& response) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("name", "models", request.name()));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, registry_->Find(reference));
  const std::string name = VersionName("models", version.model, version.number);
  const auto record = registry::ReadEvaluationRecord(version.evaluation_path);
  if (absl::IsNotFound(record.status())) {
    return PreconditionFailed(name, "was published before suspects were kept: train it again");
  }
  if (!record.ok()) return WithContext(record.status(), name);
  if (record->highest_loss.empty()) {
    return PreconditionFailed(name, "has no suspects: they are found among the cached features of a head's training");
  }
  ASSIGN_OR_RETURN(const registry::Manifest manifest, registry::ManifestFromJson(version.manifest));
  if (!principal.MayUse(manifest.dataset_version)) {
    return PreconditionFailed(name, "was trained on photos that this principal may not see");
  }
  response.set_model_version(name);
  response.set_dataset_version(manifest.dataset_version);
  for (const registry::Suspect& suspect : record->highest_loss) *response.add_highest_loss() = ToProto(suspect);
  for (const registry::Suspect& suspect : record->disagreements) *response.add_disagreements() = ToProto(suspect);
  return absl::OkStatus();
}

absl::Status ModelService::Compare(const v1::CompareModelVersionsRequest& request, const rpc::UnaryCall& call,
                                   v1::CompareModelVersionsResponse& response) {
  const int most = request.measure_latency() ? kMostMeasuredVersions : kMostComparedVersions;
  if (request.names().empty() || request.names_size() > most) {
    return InvalidField(
        "names", absl::StrCat("must name 1 to ", most, " versions", request.measure_latency() ? " to measure" : "",
                              ", not ", request.names_size()));
  }
  std::vector<ComparedVersion> versions;
  for (int i = 0; i < request.names_size(); ++i) {
    ASSIGN_OR_RETURN(const VersionReference reference,
                     ParseVersionReference(absl::StrCat("names[", i, "]"), "models", request.names(i)));
    ComparedVersion& version = versions.emplace_back();
    ASSIGN_OR_RETURN(version.stored, registry_->Find(reference));
    ASSIGN_OR_RETURN(version.proto, ToProto(version.stored));
    if (!request.any_test_split()) RETURN_IF_ERROR(CheckSameTest(versions.front().proto, version.proto));
  }
  for (const ComparedVersion& version : versions) {
    ASSIGN_OR_RETURN(*response.add_costs(), CostOf(version, weights_root_));
    v1::ModelVersion& out = *response.add_versions() = version.proto;
    LeaveOutDetails(*out.mutable_metrics());
    HideBeyond(call.principal(), out);
    if (&version == &versions.front()) continue;
    ASSIGN_OR_RETURN(*response.add_comparisons(), CompareWith(versions.front(), version));
  }
  return request.measure_latency() ? MeasureLatencies(call, response) : absl::OkStatus();
}

absl::Status ModelService::MeasureLatencies(const rpc::UnaryCall& call, v1::CompareModelVersionsResponse& response) {
  if (measuring_.exchange(true)) {
    return RetryLater(absl::StatusCode::kResourceExhausted, "the latencies of other versions are being measured",
                      absl::Seconds(5));
  }
  const absl::Cleanup done = [this] { measuring_ = false; };
  for (int i = 0; i < response.versions_size(); ++i) {
    const v1::ModelVersion& version = response.versions(i);
    ASSIGN_OR_RETURN(const inference::Latency latency,
                     inference::MeasureLatency(*classifier_, version.name(), version.preprocess().height(),
                                               call.deadline(), call.cancellation()));
    auto& out = *response.mutable_costs(i)->mutable_latency();
    *out.mutable_batch_1() = ToProto(latency.batch_1);
    *out.mutable_batch_32() = ToProto(latency.batch_32);
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* ModelService::ListModels(grpc::CallbackServerContext* context,
                                                   const v1::ListModelsRequest* request,
                                                   v1::ListModelsResponse* response) {
  return rpc::Unary(
      gate_, context, request, "graft.v1.ModelService/ListModels",
      [this, request, response](const access::Principal& principal) { return List(*request, principal, *response); });
}

grpc::ServerUnaryReactor* ModelService::GetModelVersion(grpc::CallbackServerContext* context,
                                                        const v1::GetModelVersionRequest* request,
                                                        v1::ModelVersion* response) {
  return rpc::Unary(gate_, context, request, "graft.v1.ModelService/GetModelVersion",
                    [this, request, response](const access::Principal& principal) -> absl::Status {
                      ASSIGN_OR_RETURN(*response, Get("name", request->name()));
                      HideBeyond(principal, *response);
                      return absl::OkStatus();
                    });
}

grpc::ServerUnaryReactor* ModelService::ListModelVersions(grpc::CallbackServerContext* context,
                                                          const v1::ListModelVersionsRequest* request,
                                                          v1::ListModelVersionsResponse* response) {
  return rpc::Unary(gate_, context, request, "graft.v1.ModelService/ListModelVersions",
                    [this, request, response](const access::Principal& principal) {
                      const absl::Status status = ListVersions(*request, *response);
                      for (v1::ModelVersion& version : *response->mutable_versions()) HideBeyond(principal, version);
                      return status;
                    });
}

grpc::ServerUnaryReactor* ModelService::SetAlias(grpc::CallbackServerContext* context,
                                                 const v1::SetAliasRequest* request, v1::ModelVersion* response) {
  return rpc::AsyncUnaryOnPool(gate_, context, request, "graft.v1.ModelService/SetAlias",
                               [this, request, response](const rpc::Call& call) {
                                 const absl::Status status = PointAlias(*request, *call, *response);
                                 HideBeyond(call->principal(), *response);
                                 call->Finish(status);
                               });
}

grpc::ServerUnaryReactor* ModelService::RollbackAlias(grpc::CallbackServerContext* context,
                                                      const v1::RollbackAliasRequest* request,
                                                      v1::ModelVersion* response) {
  return rpc::AsyncUnaryOnPool(gate_, context, request, "graft.v1.ModelService/RollbackAlias",
                               [this, request, response](const rpc::Call& call) {
                                 const absl::Status status = MoveAliasBack(*request, *call, *response);
                                 HideBeyond(call->principal(), *response);
                                 call->Finish(status);
                               });
}

grpc::ServerUnaryReactor* ModelService::ListAliasHistory(grpc::CallbackServerContext* context,
                                                         const v1::ListAliasHistoryRequest* request,
                                                         v1::ListAliasHistoryResponse* response) {
  return rpc::Unary(gate_, context, request, "graft.v1.ModelService/ListAliasHistory",
                    [this, request, response] { return ListMoves(*request, *response); });
}

grpc::ServerUnaryReactor* ModelService::DeleteModelVersion(grpc::CallbackServerContext* context,
                                                           const v1::DeleteModelVersionRequest* request,
                                                           v1::DeleteModelVersionResponse*) {
  return rpc::Unary(gate_, context, request, "graft.v1.ModelService/DeleteModelVersion",
                    [this, request] { return Delete(*request); });
}

grpc::ServerUnaryReactor* ModelService::ListSuspects(grpc::CallbackServerContext* context,
                                                     const v1::ListSuspectsRequest* request,
                                                     v1::ListSuspectsResponse* response) {
  return rpc::Unary(gate_, context, request, "graft.v1.ModelService/ListSuspects",
                    [this, request, response](const access::Principal& principal) {
                      return Suspects(*request, principal, *response);
                    });
}

grpc::ServerUnaryReactor* ModelService::CompareModelVersions(grpc::CallbackServerContext* context,
                                                             const v1::CompareModelVersionsRequest* request,
                                                             v1::CompareModelVersionsResponse* response) {
  return rpc::AsyncUnaryOnPool(
      gate_, context, request, "graft.v1.ModelService/CompareModelVersions",
      [this, request, response](const rpc::Call& call) { call->Finish(Compare(*request, *call, *response)); });
}

}  // namespace graft::services
