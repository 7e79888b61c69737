#include "client/api/dataset_upload.h"

#include <utility>

#include "client/api/reconnect.h"
#include "client/api/upload_stream.h"
#include "proto/status_codec.h"

namespace graft::client {

absl::StatusOr<v1::UploadDatasetResponse::Complete> UploadDataset(const std::shared_ptr<grpc::Channel>& channel,
                                                                  const v1::UploadDatasetRequest::Start& start,
                                                                  const UploadSource& source,
                                                                  const UploadObserver& observer,
                                                                  const UploadOptions& options,
                                                                  Cancellation* cancellation) {
  const auto datasets = v1::DatasetService::NewStub(channel);
  Reconnect reconnect(*channel, options.retry, options.reconnect_for);
  const absl::Status cancelled = absl::CancelledError("the upload was stopped; the same command continues it");
  while (true) {
    UploadStream::Outcome outcome = UploadStream(*datasets, source, observer, cancellation).Run(start);
    // Once the server said so it is complete, however the connection ended after that.
    if (outcome.complete) return *std::move(outcome.complete);
    if (cancellation != nullptr && cancellation->IsCancelled()) return cancelled;
    if (!outcome.local.ok()) return outcome.local;
    if (outcome.remote.ok()) return absl::InternalError("the server ended the upload without completing it");
    if (outcome.stored_something) reconnect.SawProgress();
    const absl::Status status = FromGrpcStatus(outcome.remote);
    if (!IsBrokenConnection(outcome.remote) || !reconnect.ShouldTryAgain()) return status;
    if (observer.on_reconnecting) observer.on_reconnecting(status);
    if (!reconnect.Wait(cancellation)) return cancelled;
  }
}

}  // namespace graft::client
