// The client's side of DatasetService.UploadDataset.
#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/api/cancellation.h"
#include "client/api/retry.h"
#include "graft/v1/dataset.grpc.pb.h"

namespace graft::client {

// The photos to upload: their list, known beforehand, and their bytes on demand.
class UploadSource {
 public:
  using BlobSink = std::function<absl::Status(const std::string& sha256, absl::string_view bytes)>;

  virtual ~UploadSource() = default;

  // All files with path, label, split, digest and size; the same content may occur under several paths.
  virtual const std::vector<v1::UploadDatasetRequest::File>& files() const = 0;

  // Calls `sink` once for every digest in `wanted`, with the whole blob, in any order; returns the first error, its own
  // or the sink's. Called again, from the start, after a lost connection.
  virtual absl::Status ReadBlobs(const absl::flat_hash_set<std::string>& wanted, const BlobSink& sink) const = 0;
};

struct UploadProgress {
  int blobs_missing = 0;  // that the server asked for on this connection
  int64_t bytes_missing = 0;
  int64_t bytes_sent = 0;
  int blobs_stored = 0;    // durable at the server
  int images_checked = 0;  // decoded by the server
  int images_total = 0;
};

struct UploadObserver {
  // Called from several threads, one at a time; may be empty.
  std::function<void(const UploadProgress&)> on_progress;
  // The connection was lost with this error; the upload goes on from what is stored. May be empty.
  std::function<void(const absl::Status&)> on_reconnecting;
};

struct UploadOptions {
  RetryPolicy retry;
  absl::Duration reconnect_for = absl::Minutes(2);
};

// Announces every file, sends the blobs that the server lacks in chunks below 1 MiB, as fast as the server takes them,
// and commits. After a lost connection it starts over, which sends only what is not stored yet.
//
// Errors: the server's; the source's; Unavailable when the server stayed away; Cancelled.
absl::StatusOr<v1::UploadDatasetResponse::Complete> UploadDataset(const std::shared_ptr<grpc::Channel>& channel,
                                                                  const v1::UploadDatasetRequest::Start& start,
                                                                  const UploadSource& source,
                                                                  const UploadObserver& observer,
                                                                  const UploadOptions& options,
                                                                  Cancellation* cancellation);

}  // namespace graft::client
