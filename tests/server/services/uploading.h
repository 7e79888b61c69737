// One upload as a client makes it, message by message.
#pragma once

#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "graft/v1/dataset.grpc.pb.h"
#include "proto/status_codec.h"
#include "tests/server/services/server_test.h"

namespace graft::testing {

// One thread at a time.
class Uploading {
 public:
  using Request = v1::UploadDatasetRequest;
  using Response = v1::UploadDatasetResponse;

  Uploading(v1::DatasetService::Stub& stub, std::unique_ptr<grpc::ClientContext> context)
      : context_(std::move(context)), stream_(stub.UploadDataset(context_.get())) {}

  void Start(const std::string& dataset) {
    Request request;
    request.mutable_start()->set_dataset(dataset);
    stream_->Write(request);
  }
  void Announce(const std::vector<Photo>& photos) {
    Request request;
    request.mutable_announce();
    for (const Photo& photo : photos) {
      auto& file = *request.mutable_announce()->add_files();
      file.set_path(photo.path);
      file.set_label(photo.label);
      file.set_group(photo.group);
      file.set_sha256(Sha256Hex(photo.bytes));
      file.set_size_bytes(static_cast<int64_t>(photo.bytes.size()));
    }
    stream_->Write(request);
  }
  // The digests that the server lacks.
  std::vector<std::string> Announced() {
    Request request;
    request.mutable_announced();
    stream_->Write(request);
    std::vector<std::string> missing;
    Response response;
    while (stream_->Read(&response) && response.has_missing()) {
      missing.insert(missing.end(), response.missing().sha256().begin(), response.missing().sha256().end());
      if (response.missing().last()) break;
    }
    return missing;
  }
  void Chunk(const std::string& sha256, int64_t offset, const std::string& data) {
    Request request;
    request.mutable_chunk()->set_sha256(sha256);
    request.mutable_chunk()->set_offset(offset);
    request.mutable_chunk()->set_data(data);
    stream_->Write(request);
  }
  void Blob(const std::string& bytes) { Chunk(Sha256Hex(bytes), 0, bytes); }
  void Commit() {
    Request request;
    request.mutable_commit();
    stream_->Write(request);
  }
  void Write(const Request& request) { stream_->Write(request); }
  void HalfClose() { stream_->WritesDone(); }
  void Cancel() { context_->TryCancel(); }
  absl::Status Finish() {
    Response response;
    while (stream_->Read(&response)) last_ = response;
    return FromGrpcStatus(stream_->Finish());
  }
  const Response& last() const { return last_; }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> stream_;
  Response last_;
};

}  // namespace graft::testing
