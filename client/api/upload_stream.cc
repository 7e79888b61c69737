#include "client/api/upload_stream.h"

#include <algorithm>
#include <thread>

#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"

namespace graft::client {
namespace {

constexpr size_t kAnnounceBytes = 512 << 10;  // the server takes messages below 1 MiB here
constexpr size_t kChunkBytes = 512 << 10;

}  // namespace

UploadStream::UploadStream(v1::DatasetService::StubInterface& datasets, const UploadSource& source,
                           const UploadObserver& observer, Cancellation* cancellation)
    : source_(source),
      observer_(observer),
      cancellation_scope_(cancellation, context_),
      stream_(datasets.UploadDataset(&context_)) {}

UploadStream::Outcome UploadStream::Run(const v1::UploadDatasetRequest::Start& start) {
  std::thread receiver = NamedThread("upload-receive", [this] { Receive(); });
  const absl::Status sent = SendAll(start);
  // A source that cannot be read leaves the server waiting for more.
  if (!sent.ok() && !broken_) context_.TryCancel();
  receiver.join();

  Outcome outcome;
  outcome.remote = stream_->Finish();
  if (!broken_) outcome.local = sent;
  absl::MutexLock lock(&mutex_);
  outcome.complete = std::move(complete_);
  outcome.stored_something = progress_.blobs_stored > 0;
  return outcome;
}

absl::Status UploadStream::SendAll(const v1::UploadDatasetRequest::Start& start) {
  v1::UploadDatasetRequest request;
  *request.mutable_start() = start;
  RETURN_IF_ERROR(Send(request));
  RETURN_IF_ERROR(SendAnnouncements());
  const absl::flat_hash_set<std::string> missing = WaitForMissing();
  if (!missing.empty()) {
    RETURN_IF_ERROR(source_.ReadBlobs(
        missing, [this](const std::string& sha256, absl::string_view bytes) { return SendBlob(sha256, bytes); }));
  }
  request.mutable_commit();
  RETURN_IF_ERROR(Send(request));
  stream_->WritesDone();
  return absl::OkStatus();
}

absl::Status UploadStream::SendAnnouncements() {
  v1::UploadDatasetRequest request;
  size_t bytes = 0;
  for (const auto& file : source_.files()) {
    const size_t file_bytes = file.ByteSizeLong() + 8;  // and its tag and length
    if (bytes > 0 && bytes + file_bytes > kAnnounceBytes) {
      RETURN_IF_ERROR(Send(request));
      request.mutable_announce()->clear_files();
      bytes = 0;
    }
    *request.mutable_announce()->add_files() = file;
    bytes += file_bytes;
  }
  if (bytes > 0) RETURN_IF_ERROR(Send(request));
  request.mutable_announced();
  return Send(request);
}

absl::Status UploadStream::SendBlob(const std::string& sha256, absl::string_view bytes) {
  for (size_t offset = 0; offset < bytes.size(); offset += kChunkBytes) {
    const absl::string_view piece = bytes.substr(offset, kChunkBytes);
    v1::UploadDatasetRequest request;
    auto* chunk = request.mutable_chunk();
    chunk->set_sha256(sha256);
    chunk->set_offset(static_cast<int64_t>(offset));
    chunk->set_data(piece.data(), piece.size());
    RETURN_IF_ERROR(Send(request));
    absl::MutexLock lock(&mutex_);
    progress_.bytes_sent += static_cast<int64_t>(piece.size());
    ReportProgress();
  }
  return absl::OkStatus();
}

absl::Status UploadStream::Send(const v1::UploadDatasetRequest& request) {
  if (stream_->Write(request)) return absl::OkStatus();
  broken_ = true;
  return absl::UnavailableError("the upload's stream ended");  // Finish() says why
}

absl::flat_hash_set<std::string> UploadStream::WaitForMissing() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &UploadStream::MissingIsKnown));
  if (!missing_known_) return {};
  progress_.blobs_missing = static_cast<int>(missing_.size());
  progress_.bytes_missing = BytesOf(missing_);
  ReportProgress();
  return missing_;
}

int64_t UploadStream::BytesOf(const absl::flat_hash_set<std::string>& wanted) const {
  absl::flat_hash_set<std::string> counted;
  int64_t bytes = 0;
  for (const auto& file : source_.files()) {
    if (wanted.contains(file.sha256()) && counted.insert(file.sha256()).second) bytes += file.size_bytes();
  }
  return bytes;
}

void UploadStream::Receive() {
  v1::UploadDatasetResponse response;
  while (stream_->Read(&response)) {
    absl::MutexLock lock(&mutex_);
    Take(response);
  }
  absl::MutexLock lock(&mutex_);
  receiving_ended_ = true;
}

void UploadStream::Take(const v1::UploadDatasetResponse& response) {
  switch (response.message_case()) {
    case v1::UploadDatasetResponse::kMissing:
      missing_.insert(response.missing().sha256().begin(), response.missing().sha256().end());
      missing_known_ |= response.missing().last();
      break;
    case v1::UploadDatasetResponse::kProgress:
      progress_.blobs_stored = response.progress().blobs_stored();
      progress_.images_checked = response.progress().images_checked();
      progress_.images_total = response.progress().images_total();
      ReportProgress();
      break;
    case v1::UploadDatasetResponse::kComplete:
      complete_ = response.complete();
      break;
    case v1::UploadDatasetResponse::MESSAGE_NOT_SET:
      break;  // a newer server's message
  }
}

void UploadStream::ReportProgress() {
  if (observer_.on_progress) observer_.on_progress(progress_);
}

}  // namespace graft::client
