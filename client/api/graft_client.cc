#include "client/api/graft_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "proto/status_codec.h"

namespace graft::client {
namespace {

constexpr int kPageSize = 1000;  // the most the server gives

// `next(token)` answers one page; `append` moves its items into the result.
template <typename Response, typename Next, typename Append>
absl::StatusOr<Response> AllPages(Next next, Append append) {
  Response all;
  std::string token;
  do {
    ASSIGN_OR_RETURN(Response page, next(token));
    token = page.next_page_token();
    append(page, all);
  } while (!token.empty());
  return all;
}

template <typename Items>
void MoveItems(Items& from, Items& to) {
  for (auto& item : from) *to.Add() = std::move(item);
}

}  // namespace

GraftClient::GraftClient(std::shared_ptr<grpc::Channel> channel, ClientOptions options)
    : options_(options),
      channel_(std::move(channel)),
      datasets_(v1::DatasetService::NewStub(channel_)),
      training_(v1::TrainingService::NewStub(channel_)),
      models_(v1::ModelService::NewStub(channel_)),
      inference_(v1::InferenceService::NewStub(channel_)),
      system_(v1::SystemService::NewStub(channel_)),
      health_(grpc::health::v1::Health::NewStub(channel_)) {}

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> GraftClient::Call(Stub& stub, UnaryMethod<Stub, Request, Response> method,
                                           const Request& request, bool* repeated) {
  const absl::Time deadline = absl::Now() + options_.deadline;
  Backoff backoff(options_.retry);
  for (int attempt = 1;; ++attempt) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    Response response;
    const grpc::Status grpc_status = (stub.*method)(&context, request, &response);
    if (grpc_status.ok()) return response;
    const absl::Status status = FromGrpcStatus(grpc_status);
    const absl::Duration requested = RequestedDelay(status);
    const bool may_pass = IsBrokenConnection(grpc_status) || requested > absl::ZeroDuration();
    const absl::Duration delay = std::max(backoff.Next(), requested);
    if (!may_pass || attempt >= options_.retry.max_attempts || absl::Now() + delay >= deadline) return status;
    if (repeated != nullptr) *repeated |= IsBrokenConnection(grpc_status);
    SleepWhileConnecting(*channel_, delay);
  }
}

absl::StatusOr<v1::UploadDatasetResponse::Complete> GraftClient::UploadDataset(
    const v1::UploadDatasetRequest::Start& start, const UploadSource& source, const UploadObserver& observer,
    Cancellation* cancellation) {
  return client::UploadDataset(channel_, start, source, observer,
                               {.retry = options_.retry, .reconnect_for = options_.reconnect_for}, cancellation);
}

absl::StatusOr<v1::DatasetVersion> GraftClient::GetDataset(const v1::GetDatasetRequest& request) {
  return Call(*datasets_, &v1::DatasetService::Stub::GetDataset, request);
}

absl::StatusOr<v1::ListDatasetsResponse> GraftClient::ListDatasets() {
  return AllPages<v1::ListDatasetsResponse>(
      [&](const std::string& token) {
        v1::ListDatasetsRequest request;
        request.set_page_size(kPageSize);
        request.set_page_token(token);
        return Call(*datasets_, &v1::DatasetService::Stub::ListDatasets, request);
      },
      [](auto& page, auto& all) { MoveItems(*page.mutable_datasets(), *all.mutable_datasets()); });
}

absl::StatusOr<v1::DatasetReport> GraftClient::GetDatasetReport(const v1::GetDatasetReportRequest& request) {
  return Call(*datasets_, &v1::DatasetService::Stub::GetDatasetReport, request);
}

absl::StatusOr<v1::DiffDatasetVersionsResponse> GraftClient::DiffDatasetVersions(const std::string& from,
                                                                                 const std::string& to, int limit) {
  v1::DiffDatasetVersionsRequest request;
  request.set_from(from);
  request.set_to(to);
  request.set_page_size(std::min(limit, kPageSize));
  ASSIGN_OR_RETURN(v1::DiffDatasetVersionsResponse all,
                   Call(*datasets_, &v1::DatasetService::Stub::DiffDatasetVersions, request));
  // Later pages are of the same versions, also when `to` names the latest and there is a new one.
  request.set_from(all.from());
  request.set_to(all.to());
  while (!all.next_page_token().empty() && all.changes_size() < limit) {
    request.set_page_size(std::min(limit - all.changes_size(), kPageSize));
    request.set_page_token(all.next_page_token());
    ASSIGN_OR_RETURN(v1::DiffDatasetVersionsResponse page,
                     Call(*datasets_, &v1::DatasetService::Stub::DiffDatasetVersions, request));
    MoveItems(*page.mutable_changes(), *all.mutable_changes());
    all.set_next_page_token(page.next_page_token());
  }
  return all;
}

absl::StatusOr<v1::Job> GraftClient::SubmitJob(v1::SubmitJobRequest request) {
  if (request.request_id().empty()) request.set_request_id(NewId());
  return Call(*training_, &v1::TrainingService::Stub::SubmitJob, request);
}

absl::StatusOr<v1::Job> GraftClient::GetJob(const v1::GetJobRequest& request) {
  return Call(*training_, &v1::TrainingService::Stub::GetJob, request);
}

absl::StatusOr<v1::ListJobsResponse> GraftClient::ListJobs() {
  return AllPages<v1::ListJobsResponse>(
      [&](const std::string& token) {
        v1::ListJobsRequest request;
        request.set_page_size(kPageSize);
        request.set_page_token(token);
        return Call(*training_, &v1::TrainingService::Stub::ListJobs, request);
      },
      [](auto& page, auto& all) { MoveItems(*page.mutable_jobs(), *all.mutable_jobs()); });
}

absl::StatusOr<v1::Job> GraftClient::CancelJob(const v1::CancelJobRequest& request) {
  return Call(*training_, &v1::TrainingService::Stub::CancelJob, request);
}

absl::StatusOr<v1::Job> GraftClient::PauseJob(const v1::PauseJobRequest& request) {
  return Call(*training_, &v1::TrainingService::Stub::PauseJob, request);
}

absl::StatusOr<v1::Job> GraftClient::ResumeJob(const v1::ResumeJobRequest& request) {
  return Call(*training_, &v1::TrainingService::Stub::ResumeJob, request);
}

absl::Status GraftClient::WatchJob(const std::string& job, int after_sequence, const WatchObserver& observer,
                                   Cancellation* cancellation) {
  return client::WatchJob(channel_, job, after_sequence, observer,
                          {.retry = options_.retry, .reconnect_for = options_.reconnect_for}, cancellation);
}

absl::StatusOr<v1::ListModelsResponse> GraftClient::ListModels() {
  return AllPages<v1::ListModelsResponse>(
      [&](const std::string& token) {
        v1::ListModelsRequest request;
        request.set_page_size(kPageSize);
        request.set_page_token(token);
        return Call(*models_, &v1::ModelService::Stub::ListModels, request);
      },
      [](auto& page, auto& all) { MoveItems(*page.mutable_models(), *all.mutable_models()); });
}

absl::StatusOr<v1::ModelVersion> GraftClient::GetModelVersion(const v1::GetModelVersionRequest& request) {
  return Call(*models_, &v1::ModelService::Stub::GetModelVersion, request);
}

absl::StatusOr<v1::ListModelVersionsResponse> GraftClient::ListModelVersions(const std::string& model) {
  return AllPages<v1::ListModelVersionsResponse>(
      [&](const std::string& token) {
        v1::ListModelVersionsRequest request;
        request.set_model(model);
        request.set_page_size(kPageSize);
        request.set_page_token(token);
        return Call(*models_, &v1::ModelService::Stub::ListModelVersions, request);
      },
      [](auto& page, auto& all) { MoveItems(*page.mutable_versions(), *all.mutable_versions()); });
}

absl::StatusOr<v1::ModelVersion> GraftClient::SetAlias(const v1::SetAliasRequest& request) {
  return Call(*models_, &v1::ModelService::Stub::SetAlias, request);
}

absl::StatusOr<v1::ModelVersion> GraftClient::RollbackAlias(v1::RollbackAliasRequest request) {
  if (request.from() == 0) {
    v1::GetModelVersionRequest current;
    current.set_name(
        absl::StrCat("models/", absl::StripPrefix(request.model(), "models/"), "/aliases/", request.alias()));
    ASSIGN_OR_RETURN(const v1::ModelVersion version, GetModelVersion(current));
    request.set_from(version.number());
  }
  return Call(*models_, &v1::ModelService::Stub::RollbackAlias, request);
}

absl::StatusOr<v1::ListAliasHistoryResponse> GraftClient::ListAliasHistory(const std::string& model,
                                                                           const std::string& alias) {
  return AllPages<v1::ListAliasHistoryResponse>(
      [&](const std::string& token) {
        v1::ListAliasHistoryRequest request;
        request.set_model(model);
        request.set_alias(alias);
        request.set_page_size(kPageSize);
        request.set_page_token(token);
        return Call(*models_, &v1::ModelService::Stub::ListAliasHistory, request);
      },
      [](auto& page, auto& all) { MoveItems(*page.mutable_moves(), *all.mutable_moves()); });
}

absl::Status GraftClient::DeleteModelVersion(const v1::DeleteModelVersionRequest& request) {
  bool repeated = false;
  const absl::Status status = Call(*models_, &v1::ModelService::Stub::DeleteModelVersion, request, &repeated).status();
  return repeated && absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<v1::ListSuspectsResponse> GraftClient::ListSuspects(const v1::ListSuspectsRequest& request) {
  return Call(*models_, &v1::ModelService::Stub::ListSuspects, request);
}

absl::StatusOr<v1::CompareModelVersionsResponse> GraftClient::CompareModelVersions(
    const v1::CompareModelVersionsRequest& request) {
  return Call(*models_, &v1::ModelService::Stub::CompareModelVersions, request);
}

absl::StatusOr<v1::ClassifyResponse> GraftClient::Classify(const v1::ClassifyRequest& request) {
  return Call(*inference_, &v1::InferenceService::Stub::Classify, request);
}

absl::StatusOr<v1::ClassifyBatchResponse> GraftClient::ClassifyBatch(const v1::ClassifyBatchRequest& request) {
  return Call(*inference_, &v1::InferenceService::Stub::ClassifyBatch, request);
}

absl::Status GraftClient::ClassifyStream(const v1::ClassifyStreamRequest::Start& start, ImageSource& source,
                                         const ClassifyObserver& observer, Cancellation* cancellation) {
  return client::ClassifyStream(channel_, start, source, observer,
                                {.retry = options_.retry, .reconnect_for = options_.reconnect_for}, cancellation);
}

absl::StatusOr<grpc::health::v1::HealthCheckResponse> GraftClient::CheckHealth(const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  return Call(*health_, &grpc::health::v1::Health::Stub::Check, request);
}

absl::StatusOr<v1::ServerInfo> GraftClient::GetServerInfo() {
  return Call(*system_, &v1::SystemService::Stub::GetServerInfo, v1::GetServerInfoRequest());
}

}  // namespace graft::client
