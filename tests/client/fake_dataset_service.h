// DatasetService in memory: keeps blobs over broken streams, as the server does, and breaks them on request.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "graft/v1/dataset.grpc.pb.h"

namespace graft::testing {

// Thread-safe.
class FakeDatasetService : public v1::DatasetService::Service {
 public:
  // The next streams end with UNAVAILABLE after this many chunks each.
  void BreakStreamsAfterChunks(std::vector<int> chunks) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next streams end with UNAVAILABLE at the commit.
  void BreakStreamsAtCommit(int streams) ABSL_LOCKS_EXCLUDED(mutex_);

  std::map<std::string, std::string> blobs() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Of the completed upload, in the order announced.
  std::vector<v1::UploadDatasetRequest::File> files() const ABSL_LOCKS_EXCLUDED(mutex_);
  int streams() const ABSL_LOCKS_EXCLUDED(mutex_);
  int chunks_received() const ABSL_LOCKS_EXCLUDED(mutex_);
  size_t largest_message_bytes() const ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::Status UploadDataset(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::UploadDatasetResponse, v1::UploadDatasetRequest>* stream) override;
  grpc::Status ListDatasets(grpc::ServerContext* context, const v1::ListDatasetsRequest* request,
                            v1::ListDatasetsResponse* response) override;
  // An audit with one pair of files of the same pixels.
  grpc::Status GetDatasetReport(grpc::ServerContext* context, const v1::GetDatasetReportRequest* request,
                                v1::DatasetReport* response) override;
  // kChanges added files, in pages of the size asked for.
  grpc::Status DiffDatasetVersions(grpc::ServerContext* context, const v1::DiffDatasetVersionsRequest* request,
                                   v1::DiffDatasetVersionsResponse* response) override;
  static constexpr int kChanges = 2500;

 private:
  using Stream = grpc::ServerReaderWriter<v1::UploadDatasetResponse, v1::UploadDatasetRequest>;
  struct Upload {
    std::string dataset;
    std::vector<v1::UploadDatasetRequest::File> files;
    std::string open_sha256, open_bytes;  // the blob whose chunks are arriving
    int missing = 0;
    int stored = 0;
    int chunks_until_break = -1;
  };

  // The next message's effect; OK to go on.
  grpc::Status Take(const v1::UploadDatasetRequest& request, Upload& upload, Stream& stream)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendMissing(Upload& upload, Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  grpc::Status TakeChunk(const v1::UploadDatasetRequest::Chunk& chunk, Upload& upload, Stream& stream)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  grpc::Status Complete(Upload& upload, Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::vector<int> break_after_chunks_ ABSL_GUARDED_BY(mutex_);
  int break_at_commit_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::string> blobs_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::UploadDatasetRequest::File> files_ ABSL_GUARDED_BY(mutex_);
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;
  int chunks_received_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t largest_message_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace graft::testing
