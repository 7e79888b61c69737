#include "tests/client/fake_model_service.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "proto/status_codec.h"
#include "tests/client/fake_request_id.h"

namespace graft::testing {
namespace {

grpc::Status Failed(const absl::Status& status) {
  return ToGrpcStatus(status, kRequestId);
}

}  // namespace

void FakeModelService::SetVersions(int count) {
  absl::MutexLock lock(&mutex_);
  versions_.clear();
  for (int number = 1; number <= count; ++number) {
    v1::ModelVersion version;
    version.set_name(VersionName("models", "animals", number));
    version.set_model("animals");
    version.set_number(number);
    version.set_precision("bf16");
    version.set_trainable(number == 1 ? "head" : "all");
    version.set_backbone_sha256(number == 1 ? "base" : "tuned");
    version.set_base_backbone_sha256("base");
    version.set_size_bytes(number == 1 ? 1000 : 5000000);
    version.set_backbone_size_bytes(number == 1 ? 0 : 4000000);
    versions_[number] = version;
  }
  production_ = count;
}

void FakeModelService::LoseAnswers(int count) {
  absl::MutexLock lock(&mutex_);
  answers_to_lose_ = count;
}

void FakeModelService::SetHistory(int moves) {
  absl::MutexLock lock(&mutex_);
  moves_ = moves;
}

int FakeModelService::production() const {
  absl::MutexLock lock(&mutex_);
  return production_;
}

std::vector<v1::RollbackAliasRequest> FakeModelService::rollbacks() const {
  absl::MutexLock lock(&mutex_);
  return rollbacks_;
}

grpc::Status FakeModelService::Answered() {
  if (answers_to_lose_ == 0) return grpc::Status::OK;
  --answers_to_lose_;
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
}

grpc::Status FakeModelService::GetModelVersion(grpc::ServerContext*, const v1::GetModelVersionRequest* request,
                                               v1::ModelVersion* response) {
  const auto reference = ParseVersionReference("name", "models", request->name());
  if (!reference.ok()) return Failed(reference.status());
  absl::MutexLock lock(&mutex_);
  const auto found = versions_.find(reference->alias == "production" ? production_ : reference->number.value_or(0));
  if (found == versions_.end()) return Failed(ResourceNotFound("model version", request->name()));
  *response = found->second;
  return grpc::Status::OK;
}

grpc::Status FakeModelService::CompareModelVersions(grpc::ServerContext*,
                                                    const v1::CompareModelVersionsRequest* request,
                                                    v1::CompareModelVersionsResponse* response) {
  absl::MutexLock lock(&mutex_);
  compared_ = *request;
  *response = comparison_;
  return grpc::Status::OK;
}

grpc::Status FakeModelService::ListSuspects(grpc::ServerContext*, const v1::ListSuspectsRequest* request,
                                            v1::ListSuspectsResponse* response) {
  if (request->name() != "animals:2") return Failed(ResourceNotFound("model version", request->name()));
  response->set_model_version("models/animals/versions/2");
  response->set_dataset_version("datasets/pets/versions/1");
  for (const char* path : {"cat/1.jpg", "cat/2.jpg"}) {
    auto& suspect = *response->add_highest_loss();
    suspect.set_path(path);
    suspect.set_label("cat");
    suspect.set_predicted("dog");
    suspect.set_probability(0.9375);
  }
  *response->add_disagreements() = response->highest_loss(0);
  return grpc::Status::OK;
}

void FakeModelService::SetComparison(v1::CompareModelVersionsResponse comparison) {
  absl::MutexLock lock(&mutex_);
  comparison_ = std::move(comparison);
}

v1::CompareModelVersionsRequest FakeModelService::compared() const {
  absl::MutexLock lock(&mutex_);
  return compared_;
}

grpc::Status FakeModelService::RollbackAlias(grpc::ServerContext*, const v1::RollbackAliasRequest* request,
                                             v1::ModelVersion* response) {
  absl::MutexLock lock(&mutex_);
  rollbacks_.push_back(*request);
  if (request->from() == 0 || request->from() == production_) {
    if (production_ <= 1) return Failed(PreconditionFailed("animals@production", "there is no earlier version"));
    rolled_back_from_ = production_--;
  } else if (request->from() != rolled_back_from_) {
    return Failed(PreconditionFailed("animals@production", "points elsewhere"));
  }
  *response = versions_[production_];
  return Answered();
}

grpc::Status FakeModelService::ListAliasHistory(grpc::ServerContext*, const v1::ListAliasHistoryRequest* request,
                                                v1::ListAliasHistoryResponse* response) {
  absl::MutexLock lock(&mutex_);
  if (request->model() != "animals") return Failed(ResourceNotFound("model", request->model()));
  const int start = std::atoi(request->page_token().c_str());
  for (int i = start; i < moves_ && i < start + request->page_size(); ++i) {
    v1::AliasMove& move = *response->add_moves();
    move.set_alias(request->alias().empty() ? "production" : request->alias());
    move.set_version(VersionName("models", "animals", moves_ - i));
    if (i + 1 < moves_) move.set_previous(VersionName("models", "animals", moves_ - i - 1));
    move.set_rollback(i == 0);
    move.set_version_deleted(i == 1);
  }
  const int end = start + response->moves_size();
  if (end < moves_) response->set_next_page_token(absl::StrCat(end));
  return grpc::Status::OK;
}

grpc::Status FakeModelService::DeleteModelVersion(grpc::ServerContext*, const v1::DeleteModelVersionRequest* request,
                                                  v1::DeleteModelVersionResponse*) {
  const auto reference = ParseVersionReference("name", "models", request->name());
  if (!reference.ok()) return Failed(reference.status());
  absl::MutexLock lock(&mutex_);
  const int number = reference->number.value_or(0);
  if (number == production_) return Failed(PreconditionFailed(request->name(), "the alias production points to it"));
  if (versions_.erase(number) == 0) return Failed(ResourceNotFound("model version", request->name()));
  return Answered();
}

}  // namespace graft::testing
