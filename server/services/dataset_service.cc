#include "server/services/dataset_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "core/dataset/diff.h"
#include "server/rpc/bidi_stream.h"
#include "server/rpc/unary_call.h"
#include "server/services/convert.h"
#include "server/services/page_token.h"
#include "server/services/upload_session.h"
#include "server/services/visible.h"

namespace graft::services {

DatasetService::DatasetService(rpc::Gate* gate, dataset::DatasetStore* datasets, store::Database* database,
                               const dataset::ImportLimits& limits)
    : gate_(gate),
      datasets_(datasets),
      database_(database),
      limits_(limits),
      slots_(std::make_shared<rpc::Slots>(kMaxUploads)),
      uploads_("upload", kMaxUploads, 2 * kMaxUploads) {}

absl::Status DatasetService::List(const v1::ListDatasetsRequest& request, const access::Principal& principal,
                                  v1::ListDatasetsResponse& response) {
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, DecodePageToken("datasets", request.page_token()));
  const auto name_of = [](const dataset::Version& version) { return version.dataset; };
  ASSIGN_OR_RETURN(std::vector<dataset::Version> versions,
                   VisiblePage<dataset::Version>(
                       principal.limited(), after, page_size + 1,
                       [this](const std::string& key, int limit) { return datasets_->List(key, limit); }, name_of,
                       [&](const dataset::Version& version) { return principal.MayUse(name_of(version)); }));
  const bool more = TrimToPage(versions, page_size);
  for (const dataset::Version& version : versions) *response.add_datasets() = ToProto(version);
  if (more) response.set_next_page_token(EncodePageToken("datasets", versions.back().dataset));
  return absl::OkStatus();
}

absl::Status DatasetService::Diff(const v1::DiffDatasetVersionsRequest& request,
                                  v1::DiffDatasetVersionsResponse& response) {
  ASSIGN_OR_RETURN(const VersionReference from, ParseVersionReference("from", "datasets", request.from()));
  ASSIGN_OR_RETURN(const VersionReference to, ParseVersionReference("to", "datasets", request.to()));
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const dataset::Version before, datasets_->Find(from));
  ASSIGN_OR_RETURN(const dataset::Version after, datasets_->Find(to));
  response.set_from(VersionName("datasets", before.dataset, before.number));
  response.set_to(VersionName("datasets", after.dataset, after.number));
  const std::string list = absl::StrCat("diff/", response.from(), "/", response.to());
  ASSIGN_OR_RETURN(const std::string position, DecodePageToken(list, request.page_token()));
  size_t first = 0;
  if (!position.empty() && !absl::SimpleAtoi(position, &first)) {
    return InvalidField("page_token", "is not a next_page_token of this list; leave it empty to start again");
  }
  ASSIGN_OR_RETURN(const std::vector<dataset::Example> old_files, datasets_->Examples(before));
  ASSIGN_OR_RETURN(const std::vector<dataset::Example> new_files, datasets_->Examples(after));
  const dataset::Diff diff = dataset::DiffVersions({old_files, before.labels}, {new_files, after.labels});
  response.set_added(diff.added);
  response.set_removed(diff.removed);
  response.set_unchanged(diff.unchanged);
  response.set_replaced(diff.replaced);
  response.set_renamed(diff.renamed);
  response.set_relabelled(diff.relabelled);
  response.set_moved_split(diff.moved_split);
  response.set_regrouped(diff.regrouped);
  response.set_change_count(static_cast<int>(diff.changes.size()));
  const size_t end = std::min(diff.changes.size(), first + static_cast<size_t>(page_size));
  for (size_t i = first; i < end; ++i) {
    auto& out = *response.add_changes();
    const dataset::Change& change = diff.changes[i];
    if (change.before) *out.mutable_before() = ToProto(old_files[*change.before], before.labels);
    if (change.after) *out.mutable_after() = ToProto(new_files[*change.after], after.labels);
  }
  if (end < diff.changes.size()) response.set_next_page_token(EncodePageToken(list, absl::StrCat(end)));
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
  return rpc::Unary(
      gate_, context, request, "graft.v1.DatasetService/GetDataset", [this, request, response]() -> absl::Status {
        ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("name", "datasets", request->name()));
        ASSIGN_OR_RETURN(const dataset::Version version, datasets_->Find(reference));
        *response = ToProto(version);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* DatasetService::ListDatasets(grpc::CallbackServerContext* context,
                                                       const v1::ListDatasetsRequest* request,
                                                       v1::ListDatasetsResponse* response) {
  return rpc::Unary(
      gate_, context, request, "graft.v1.DatasetService/ListDatasets",
      [this, request, response](const access::Principal& principal) { return List(*request, principal, *response); });
}

grpc::ServerUnaryReactor* DatasetService::GetDatasetReport(grpc::CallbackServerContext* context,
                                                           const v1::GetDatasetReportRequest* request,
                                                           v1::DatasetReport* response) {
  return rpc::Unary(
      gate_, context, request, "graft.v1.DatasetService/GetDatasetReport", [this, request, response]() -> absl::Status {
        ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("name", "datasets", request->name()));
        ASSIGN_OR_RETURN(const dataset::Report report, datasets_->GetReport(reference));
        *response = ToProto(report);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* DatasetService::DiffDatasetVersions(grpc::CallbackServerContext* context,
                                                              const v1::DiffDatasetVersionsRequest* request,
                                                              v1::DiffDatasetVersionsResponse* response) {
  return rpc::Unary(gate_, context, request, "graft.v1.DatasetService/DiffDatasetVersions",
                    [this, request, response] { return Diff(*request, *response); });
}

}  // namespace graft::services
