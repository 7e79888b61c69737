// graft.v1.DatasetService.
#pragma once

#include <memory>

#include "core/dataset/dataset_store.h"
#include "core/dataset/import.h"
#include "core/store/database.h"
#include "graft/v1/dataset.grpc.pb.h"
#include "server/rpc/gate.h"
#include "server/rpc/slots.h"

namespace graft::services {

// Thread-safe. What it points to outlives it.
class DatasetService final : public v1::DatasetService::CallbackService {
 public:
  // Uploads at the same time; each may hold some 30 MiB and has a thread of its own, because storing and decoding
  // would occupy the request pool for minutes.
  static constexpr int kMaxUploads = 8;

  DatasetService(rpc::Gate* gate, dataset::DatasetStore* datasets, store::Database* database,
                 const dataset::ImportLimits& limits);

  grpc::ServerBidiReactor<v1::UploadDatasetRequest, v1::UploadDatasetResponse>* UploadDataset(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* GetDataset(grpc::CallbackServerContext* context, const v1::GetDatasetRequest* request,
                                       v1::DatasetVersion* response) override;
  grpc::ServerUnaryReactor* ListDatasets(grpc::CallbackServerContext* context, const v1::ListDatasetsRequest* request,
                                         v1::ListDatasetsResponse* response) override;
  grpc::ServerUnaryReactor* GetDatasetReport(grpc::CallbackServerContext* context,
                                             const v1::GetDatasetReportRequest* request,
                                             v1::DatasetReport* response) override;
  grpc::ServerUnaryReactor* DiffDatasetVersions(grpc::CallbackServerContext* context,
                                                const v1::DiffDatasetVersionsRequest* request,
                                                v1::DiffDatasetVersionsResponse* response) override;

 private:
  absl::Status Diff(const v1::DiffDatasetVersionsRequest& request, v1::DiffDatasetVersionsResponse& response);
  absl::Status List(const v1::ListDatasetsRequest& request, const access::Principal& principal,
                    v1::ListDatasetsResponse& response);

  rpc::Gate* const gate_;
  dataset::DatasetStore* const datasets_;
  store::Database* const database_;
  const dataset::ImportLimits limits_;
  const std::shared_ptr<rpc::Slots> slots_;
  ThreadPool uploads_;
};

}  // namespace graft::services
