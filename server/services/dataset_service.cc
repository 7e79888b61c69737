#include "server/services/dataset_service.h"

#include <utility>

#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "server/rpc/bidi_stream.h"
#include "server/rpc/unary_call.h"
#include "server/services/convert.h"
#include "server/services/page_token.h"
#include "server/services/upload_session.h"

namespace graft::services {

DatasetService::DatasetService(rpc::Gate* gate, dataset::DatasetStore* datasets, store::Database* database,
                               const dataset::ImportLimits& limits)
    : gate_(gate),
      datasets_(datasets),
      database_(database),
      limits_(limits),
      slots_(std::make_shared<rpc::Slots>(kMaxUploads)),
      uploads_("upload", kMaxUploads, 2 * kMaxUploads) {}

absl::Status DatasetService::List(const v1::ListDatasetsRequest& request, v1::ListDatasetsResponse& response) {
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, DecodePageToken("datasets", request.page_token()));
  ASSIGN_OR_RETURN(std::vector<dataset::Version> versions, datasets_->List(after, page_size + 1));
  const bool more = TrimToPage(versions, page_size);
  for (const dataset::Version& version : versions) *response.add_datasets() = ToProto(version);
  if (more) response.set_next_page_token(EncodePageToken("datasets", versions.back().dataset));
  return absl::OkStatus();
}

grpc::ServerBidiReactor<v1::UploadDatasetRequest, v1::UploadDatasetResponse>* DatasetService::UploadDataset(
    grpc::CallbackServerContext* context) {
  using Session = rpc::BidiSession<v1::UploadDatasetRequest, v1::UploadDatasetResponse>;
  return rpc::BidiStream<v1::UploadDatasetRequest, v1::UploadDatasetResponse>::Start(
      gate_, &uploads_, context, "graft.v1.DatasetService/UploadDataset",
      [this](UploadSession::Sender* sender) -> absl::StatusOr<std::unique_ptr<Session>> {
        ASSIGN_OR_RETURN(std::shared_ptr<void> slot, slots_->Take("uploads", absl::Seconds(5)));
        return std::make_unique<UploadSession>(datasets_, database_, limits_, sender, std::move(slot));
      });
}

grpc::ServerUnaryReactor* DatasetService::GetDataset(grpc::CallbackServerContext* context,
                                                     const v1::GetDatasetRequest* request,
                                                     v1::DatasetVersion* response) {
  return rpc::Unary(gate_, context, "graft.v1.DatasetService/GetDataset", [this, request, response]() -> absl::Status {
    ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("name", "datasets", request->name()));
    ASSIGN_OR_RETURN(const dataset::Version version, datasets_->Find(reference));
    *response = ToProto(version);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* DatasetService::ListDatasets(grpc::CallbackServerContext* context,
                                                       const v1::ListDatasetsRequest* request,
                                                       v1::ListDatasetsResponse* response) {
  return rpc::Unary(gate_, context, "graft.v1.DatasetService/ListDatasets",
                    [this, request, response] { return List(*request, *response); });
}

grpc::ServerUnaryReactor* DatasetService::GetDatasetReport(grpc::CallbackServerContext* context,
                                                           const v1::GetDatasetReportRequest* request,
                                                           v1::DatasetReport* response) {
  return rpc::Unary(
      gate_, context, "graft.v1.DatasetService/GetDatasetReport", [this, request, response]() -> absl::Status {
        ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("name", "datasets", request->name()));
        ASSIGN_OR_RETURN(const dataset::Report report, datasets_->GetReport(reference));
        *response = ToProto(report);
        return absl::OkStatus();
      });
}

}  // namespace graft::services
