#include "tests/client/fake_dataset_service.h"

#include <algorithm>

#include "core/base/digest.h"
#include "core/base/errors.h"
#include "proto/status_codec.h"
#include "tests/client/fake_request_id.h"

namespace graft::testing {
namespace {

grpc::Status Broken() {
  return ToGrpcStatus(absl::UnavailableError("the fake server broke the stream"), kRequestId);
}

}  // namespace

void FakeDatasetService::BreakStreamsAfterChunks(std::vector<int> chunks) {
  absl::MutexLock lock(&mutex_);
  break_after_chunks_ = std::move(chunks);
}

void FakeDatasetService::BreakStreamsAtCommit(int streams) {
  absl::MutexLock lock(&mutex_);
  break_at_commit_ = streams;
}

std::map<std::string, std::string> FakeDatasetService::blobs() const {
  absl::MutexLock lock(&mutex_);
  return blobs_;
}

std::vector<v1::UploadDatasetRequest::File> FakeDatasetService::files() const {
  absl::MutexLock lock(&mutex_);
  return files_;
}

int FakeDatasetService::streams() const {
  absl::MutexLock lock(&mutex_);
  return streams_;
}

int FakeDatasetService::chunks_received() const {
  absl::MutexLock lock(&mutex_);
  return chunks_received_;
}

size_t FakeDatasetService::largest_message_bytes() const {
  absl::MutexLock lock(&mutex_);
  return largest_message_bytes_;
}

grpc::Status FakeDatasetService::UploadDataset(grpc::ServerContext*, Stream* stream) {
  Upload upload;
  {
    absl::MutexLock lock(&mutex_);
    ++streams_;
    if (!break_after_chunks_.empty()) {
      upload.chunks_until_break = break_after_chunks_.front();
      break_after_chunks_.erase(break_after_chunks_.begin());
    }
  }
  v1::UploadDatasetRequest request;
  while (stream->Read(&request)) {
    absl::MutexLock lock(&mutex_);
    largest_message_bytes_ = std::max(largest_message_bytes_, request.ByteSizeLong());
    if (request.has_commit()) return Complete(upload, *stream);
    if (grpc::Status status = Take(request, upload, *stream); !status.ok()) return status;
  }
  return ToGrpcStatus(absl::CancelledError("the client went away"), kRequestId);
}

grpc::Status FakeDatasetService::Take(const v1::UploadDatasetRequest& request, Upload& upload, Stream& stream) {
  if (request.has_start()) {
    upload.dataset = request.start().dataset();
    if (upload.dataset == "BAD") return ToGrpcStatus(InvalidField("start.dataset", "use a-z 0-9 - _"), kRequestId);
  }
  if (request.has_announce()) {
    upload.files.insert(upload.files.end(), request.announce().files().begin(), request.announce().files().end());
  }
  if (request.has_announced()) SendMissing(upload, stream);
  if (request.has_chunk()) return TakeChunk(request.chunk(), upload, stream);
  return grpc::Status::OK;
}

void FakeDatasetService::SendMissing(Upload& upload, Stream& stream) {
  std::set<std::string> missing;
  for (const auto& file : upload.files) {
    if (blobs_.count(file.sha256()) == 0) missing.insert(file.sha256());
  }
  upload.missing = static_cast<int>(missing.size());
  // One digest a message: the client has to wait for the last.
  for (const std::string& sha256 : missing) {
    v1::UploadDatasetResponse response;
    response.mutable_missing()->add_sha256(sha256);
    stream.Write(response);
  }
  v1::UploadDatasetResponse last;
  last.mutable_missing()->set_last(true);
  stream.Write(last);
}

grpc::Status FakeDatasetService::TakeChunk(const v1::UploadDatasetRequest::Chunk& chunk, Upload& upload,
                                           Stream& stream) {
  if (upload.chunks_until_break == 0) return Broken();
  if (upload.chunks_until_break > 0) --upload.chunks_until_break;
  ++chunks_received_;
  if (chunk.offset() == 0) {
    upload.open_sha256 = chunk.sha256();
    upload.open_bytes.clear();
  }
  if (chunk.sha256() != upload.open_sha256 || chunk.offset() != static_cast<int64_t>(upload.open_bytes.size())) {
    return ToGrpcStatus(InvalidField("chunk.offset", "chunks out of order"), kRequestId);
  }
  if (blobs_.count(chunk.sha256()) > 0) return ToGrpcStatus(InvalidField("chunk.sha256", "not missing"), kRequestId);
  upload.open_bytes += chunk.data();
  const auto file = std::find_if(upload.files.begin(), upload.files.end(),
                                 [&](const auto& candidate) { return candidate.sha256() == chunk.sha256(); });
  if (file == upload.files.end()) return ToGrpcStatus(InvalidField("chunk.sha256", "not announced"), kRequestId);
  if (file->size_bytes() != static_cast<int64_t>(upload.open_bytes.size())) return grpc::Status::OK;
  if (Sha256Hex(upload.open_bytes) != chunk.sha256()) {
    return ToGrpcStatus(absl::AbortedError("bytes do not have their digest"), kRequestId);
  }
  blobs_[chunk.sha256()] = upload.open_bytes;
  v1::UploadDatasetResponse response;
  response.mutable_progress()->set_blobs_stored(++upload.stored);
  stream.Write(response);
  return grpc::Status::OK;
}

grpc::Status FakeDatasetService::Complete(Upload& upload, Stream& stream) {
  if (break_at_commit_ > 0) {
    --break_at_commit_;
    return Broken();
  }
  if (upload.stored != upload.missing) return ToGrpcStatus(InvalidField("commit", "blobs are missing"), kRequestId);
  files_ = upload.files;
  v1::UploadDatasetResponse response;
  auto* complete = response.mutable_complete();
  complete->set_blobs_received(upload.stored);
  complete->mutable_version()->set_name("datasets/" + upload.dataset + "/versions/1");
  complete->mutable_version()->set_dataset(upload.dataset);
  complete->mutable_version()->set_number(1);
  complete->mutable_version()->set_image_count(static_cast<int>(upload.files.size()));
  stream.Write(response);
  return grpc::Status::OK;
}

grpc::Status FakeDatasetService::ListDatasets(grpc::ServerContext*, const v1::ListDatasetsRequest* request,
                                              v1::ListDatasetsResponse* response) {
  // Three pages of one data set each.
  const int page = request->page_token().empty() ? 0 : std::stoi(request->page_token());
  response->add_datasets()->set_name("datasets/set" + std::to_string(page) + "/versions/1");
  if (page < 2) response->set_next_page_token(std::to_string(page + 1));
  return grpc::Status::OK;
}

grpc::Status FakeDatasetService::GetDatasetReport(grpc::ServerContext*, const v1::GetDatasetReportRequest* request,
                                                  v1::DatasetReport* response) {
  response->mutable_version()->set_name(request->name());
  auto& duplicates = *response->mutable_audit()->mutable_exact_duplicates();
  duplicates.set_cluster_count(1);
  duplicates.set_file_count(2);
  for (const char* path : {"cat/1.jpg", "cat/2.jpg"}) {
    if (duplicates.first().empty()) duplicates.add_first()->set_file_count(2);
    duplicates.mutable_first(0)->add_files()->set_path(path);
  }
  return grpc::Status::OK;
}

grpc::Status FakeDatasetService::DiffDatasetVersions(grpc::ServerContext*,
                                                     const v1::DiffDatasetVersionsRequest* request,
                                                     v1::DiffDatasetVersionsResponse* response) {
  response->set_from("datasets/animals/versions/1");
  response->set_to("datasets/animals/versions/2");
  response->set_added(kChanges);
  response->set_change_count(kChanges);
  const int first = request->page_token().empty() ? 0 : std::stoi(request->page_token());
  const int end = std::min(kChanges, first + request->page_size());
  for (int i = first; i < end; ++i) response->add_changes()->mutable_after()->set_path(std::to_string(i) + ".jpg");
  if (end < kChanges) response->set_next_page_token(std::to_string(end));
  return grpc::Status::OK;
}

}  // namespace graft::testing
