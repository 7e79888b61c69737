// Graft's services for C++ programs.
//
//   auto client = GraftClient(Connect("127.0.0.1:50051"));
//   ASSIGN_OR_RETURN(v1::ClassifyResponse response, client.Classify(request));
//
// Errors are the server's, with the detail of core/base/errors.h; DeadlineExceeded when the time ran out. Every unary
// call can be repeated safely (SubmitJob by its request_id, RollbackAlias by its `from`), so a broken connection and a
// server that asks to wait (RetryInfo) are tried again within the deadline.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/api/cancellation.h"
#include "client/api/classify_stream.h"
#include "client/api/dataset_upload.h"
#include "client/api/job_watch.h"
#include "client/api/retry.h"
#include "graft/v1/dataset.grpc.pb.h"
#include "graft/v1/inference.grpc.pb.h"
#include "graft/v1/model.grpc.pb.h"
#include "graft/v1/system.grpc.pb.h"
#include "graft/v1/training.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace graft::client {

struct ClientOptions {
  absl::Duration deadline = absl::Seconds(30);  // of a unary call with its retries
  RetryPolicy retry;
  // How long a watch, an upload or a classify stream that was under way keeps trying to reach the server again.
  absl::Duration reconnect_for = absl::Minutes(2);
};

// Thread-safe.
class GraftClient {
 public:
  explicit GraftClient(std::shared_ptr<grpc::Channel> channel, ClientOptions options = {});

  // Sends what the server lacks of `source` and returns when the version is complete. An interrupted upload goes on
  // where it stopped, within this call and in later ones. See dataset_upload.h.
  absl::StatusOr<v1::UploadDatasetResponse::Complete> UploadDataset(const v1::UploadDatasetRequest::Start& start,
                                                                    const UploadSource& source,
                                                                    const UploadObserver& observer,
                                                                    Cancellation* cancellation = nullptr);
  absl::StatusOr<v1::DatasetVersion> GetDataset(const v1::GetDatasetRequest& request);
  // All pages of the answer in one; so do the other List calls.
  absl::StatusOr<v1::ListDatasetsResponse> ListDatasets();
  absl::StatusOr<v1::DatasetReport> GetDatasetReport(const v1::GetDatasetReportRequest& request);
  // At most `limit` changes, over as many pages as they take; next_page_token is set if there are more.
  absl::StatusOr<v1::DiffDatasetVersionsResponse> DiffDatasetVersions(const std::string& from, const std::string& to,
                                                                      int limit);

  // An empty request_id is replaced by a new one, the same for every attempt: one call makes at most one job.
  absl::StatusOr<v1::Job> SubmitJob(v1::SubmitJobRequest request);
  absl::StatusOr<v1::Job> GetJob(const v1::GetJobRequest& request);
  absl::StatusOr<v1::ListJobsResponse> ListJobs();
  absl::StatusOr<v1::Job> CancelJob(const v1::CancelJobRequest& request);
  absl::StatusOr<v1::Job> PauseJob(const v1::PauseJobRequest& request);
  absl::StatusOr<v1::Job> ResumeJob(const v1::ResumeJobRequest& request);
  // Every event after `after_sequence` once and in order, over lost connections. See job_watch.h.
  absl::Status WatchJob(const std::string& job, int after_sequence, const WatchObserver& observer,
                        Cancellation* cancellation = nullptr);

  absl::StatusOr<v1::ListModelsResponse> ListModels();
  absl::StatusOr<v1::ModelVersion> GetModelVersion(const v1::GetModelVersionRequest& request);
  absl::StatusOr<v1::ListModelVersionsResponse> ListModelVersions(const std::string& model);
  absl::StatusOr<v1::ModelVersion> SetAlias(const v1::SetAliasRequest& request);
  // `from` 0 is replaced by the version that the alias points to now, so that one call moves it once, over retries.
  absl::StatusOr<v1::ModelVersion> RollbackAlias(v1::RollbackAliasRequest request);
  // Of one alias, or (empty) of all.
  absl::StatusOr<v1::ListAliasHistoryResponse> ListAliasHistory(const std::string& model, const std::string& alias);
  // Also OK when an earlier attempt of this call deleted it before its connection broke.
  absl::Status DeleteModelVersion(const v1::DeleteModelVersionRequest& request);
  absl::StatusOr<v1::ListSuspectsResponse> ListSuspects(const v1::ListSuspectsRequest& request);
  absl::StatusOr<v1::CompareModelVersionsResponse> CompareModelVersions(const v1::CompareModelVersionsRequest& request);

  absl::StatusOr<v1::ClassifyResponse> Classify(const v1::ClassifyRequest& request);
  absl::StatusOr<v1::ClassifyBatchResponse> ClassifyBatch(const v1::ClassifyBatchRequest& request);
  // Any number of images, over lost connections. See classify_stream.h.
  absl::Status ClassifyStream(const v1::ClassifyStreamRequest::Start& start, ImageSource& source,
                              const ClassifyObserver& observer, Cancellation* cancellation = nullptr);

  absl::StatusOr<v1::ServerInfo> GetServerInfo();
  // Of the server (""), a service or a model; NotFound for what there is not.
  absl::StatusOr<grpc::health::v1::HealthCheckResponse> CheckHealth(const std::string& service);

 private:
  template <typename Stub, typename Request, typename Response>
  using UnaryMethod = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

  // One call with deadline and retries. `repeated`, if given, says whether an earlier attempt may have reached the
  // server too.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub, UnaryMethod<Stub, Request, Response> method, const Request& request,
                                bool* repeated = nullptr);

  const ClientOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::DatasetService::Stub> datasets_;
  const std::unique_ptr<v1::TrainingService::Stub> training_;
  const std::unique_ptr<v1::ModelService::Stub> models_;
  const std::unique_ptr<v1::InferenceService::Stub> inference_;
  const std::unique_ptr<v1::SystemService::Stub> system_;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

}  // namespace graft::client
