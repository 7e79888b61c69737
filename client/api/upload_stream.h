// One connection of an upload.
#pragma once

#include <grpcpp/client_context.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "client/api/dataset_upload.h"

namespace graft::client {

// Runs the protocol of dataset.proto once. The calling thread sends, a second one receives: the server may report
// progress at any time, and a sender that does not read would stop it. Used once, by one thread.
class UploadStream {
 public:
  struct Outcome {
    absl::Status local;   // reading the source failed
    grpc::Status remote;  // how the call ended
    std::optional<v1::UploadDatasetResponse::Complete> complete;
    bool stored_something = false;
  };

  UploadStream(v1::DatasetService::StubInterface& datasets, const UploadSource& source, const UploadObserver& observer,
               Cancellation* cancellation);

  Outcome Run(const v1::UploadDatasetRequest::Start& start);

 private:
  // Each returns an error when the stream broke (broken_ is then true) or the source failed.
  absl::Status SendAll(const v1::UploadDatasetRequest::Start& start);
  absl::Status SendAnnouncements();
  absl::Status SendBlob(const std::string& sha256, absl::string_view bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Send(const v1::UploadDatasetRequest& request);

  // The digests that the server lacks; empty when the stream ended instead.
  absl::flat_hash_set<std::string> WaitForMissing() ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t BytesOf(const absl::flat_hash_set<std::string>& wanted) const;

  void Receive() ABSL_LOCKS_EXCLUDED(mutex_);
  void Take(const v1::UploadDatasetResponse& response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReportProgress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MissingIsKnown() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return missing_known_ || receiving_ended_; }

  const UploadSource& source_;
  const UploadObserver& observer_;
  grpc::ClientContext context_;
  const Cancellation::Scope cancellation_scope_;
  const std::unique_ptr<grpc::ClientReaderWriterInterface<v1::UploadDatasetRequest, v1::UploadDatasetResponse>> stream_;

  bool broken_ = false;  // the sending thread's

  absl::Mutex mutex_;
  bool missing_known_ ABSL_GUARDED_BY(mutex_) = false;
  bool receiving_ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<std::string> missing_ ABSL_GUARDED_BY(mutex_);
  UploadProgress progress_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::UploadDatasetResponse::Complete> complete_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft::client
