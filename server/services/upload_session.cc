#include "server/services/upload_session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "server/services/convert.h"

namespace graft::services {
namespace {

using Request = v1::UploadDatasetRequest;

constexpr size_t kFramingBytes = 1 << 10;      // what a chunk's message has besides its data
constexpr size_t kDigestsPerMessage = 10'000;  // 660 KB
constexpr absl::Duration kProgressInterval = absl::Milliseconds(250);

absl::string_view NameOf(Request::MessageCase message) {
  switch (message) {
    case Request::kStart:
      return "start";
    case Request::kAnnounce:
      return "announce";
    case Request::kAnnounced:
      return "announced";
    case Request::kChunk:
      return "chunk";
    case Request::kCommit:
      return "commit";
    case Request::MESSAGE_NOT_SET:
      break;
  }
  return "message";
}

}  // namespace

UploadSession::UploadSession(dataset::DatasetStore* datasets, store::Database* database,
                             const dataset::ImportLimits& limits, Sender* sender, std::shared_ptr<void> slot)
    : datasets_(datasets), database_(database), limits_(limits), sender_(sender), slot_(std::move(slot)) {}

absl::StatusOr<bool> UploadSession::OnMessage(Request request) {
  const bool commits = request.message_case() == Request::kCommit;
  const absl::Status handled = Handle(std::move(request));
  if (handled.ok()) return commits;
  // The blobs before the one that failed need not be sent again.
  if (import_ != nullptr) import_->Flush().IgnoreError();
  return handled;
}

absl::Status UploadSession::Handle(Request request) {
  if (request.ByteSizeLong() > size_t{kMaxUploadMessageBytes} + kFramingBytes) {
    return InvalidField(NameOf(request.message_case()), "message is larger than 1 MiB; send smaller ones");
  }
  switch (request.message_case()) {
    case Request::kStart:
      return Start(request.start());
    case Request::kAnnounce:
      return Announce(request.announce());
    case Request::kAnnounced:
      return Announced();
    case Request::kChunk:
      return TakeChunk(std::move(*request.mutable_chunk()));
    case Request::kCommit:
      return Commit();
    case Request::MESSAGE_NOT_SET:
      break;
  }
  return InvalidField("message", "is not set");
}

absl::Status UploadSession::OnEarlyEnd() {
  if (import_ != nullptr) RETURN_IF_ERROR(import_->Flush());
  return absl::CancelledError("the upload ended before its commit; what was stored stays, upload again to go on");
}

absl::Status UploadSession::Expect(Stage stage, absl::string_view message) const {
  if (stage_ == stage) return absl::OkStatus();
  return InvalidField(message, "out of order: send start, then announce messages, announced, chunks and commit");
}

absl::Status UploadSession::Start(const Request::Start& start) {
  RETURN_IF_ERROR(Expect(Stage::kStart, "start"));
  RETURN_IF_ERROR(ValidateName("start.dataset", start.dataset()));
  dataset::ImportOptions options;
  options.dataset = start.dataset();
  if (start.has_max_undecodable_fraction()) options.max_undecodable_fraction = start.max_undecodable_fraction();
  if (!(options.max_undecodable_fraction >= 0 && options.max_undecodable_fraction <= 1)) {
    return InvalidField("start.max_undecodable_fraction", "must be 0 to 1");
  }
  ASSIGN_OR_RETURN(import_, dataset::Import::Start(options, limits_, datasets_, database_));
  stage_ = Stage::kAnnounce;
  return absl::OkStatus();
}

absl::Status UploadSession::Announce(const Request::Announce& announce) {
  RETURN_IF_ERROR(Expect(Stage::kAnnounce, "announce"));
  std::vector<dataset::AnnouncedFile> files;
  files.reserve(static_cast<size_t>(announce.files_size()));
  for (const Request::File& file : announce.files()) files.push_back(FromProto(file));
  RETURN_IF_ERROR(import_->Announce(std::move(files)));
  for (const Request::File& file : announce.files()) announced_sizes_.emplace(file.sha256(), file.size_bytes());
  return absl::OkStatus();
}

absl::Status UploadSession::Announced() {
  RETURN_IF_ERROR(Expect(Stage::kAnnounce, "announced"));
  ASSIGN_OR_RETURN(const std::vector<std::string> missing, import_->FinishAnnouncing());
  missing_.insert(missing.begin(), missing.end());
  stage_ = Stage::kChunks;
  SendMissing(missing);
  return absl::OkStatus();
}

void UploadSession::SendMissing(const std::vector<std::string>& missing) {
  size_t sent = 0;
  do {
    const size_t end = std::min(sent + kDigestsPerMessage, missing.size());
    v1::UploadDatasetResponse response;
    for (; sent < end; ++sent) response.mutable_missing()->add_sha256(missing[sent]);
    response.mutable_missing()->set_last(sent == missing.size());
    sender_->Send(std::move(response));
  } while (sent < missing.size());
}

absl::Status UploadSession::CheckChunk(const Request::Chunk& chunk) const {
  if (chunk.data().empty() || chunk.data().size() > size_t{kMaxUploadMessageBytes}) {
    return InvalidField("chunk.data", absl::StrCat("has ", chunk.data().size(), " bytes; 1 to 1048576 (1 MiB)"));
  }
  if (!blob_sha256_.empty() && chunk.sha256() != blob_sha256_) {
    return InvalidField("chunk.sha256", absl::StrCat("blob ", blob_sha256_, " is not complete; blobs come one by one"));
  }
  if (!missing_.contains(chunk.sha256())) {
    return InvalidField("chunk.sha256", absl::StrCat("'", chunk.sha256(), "' is not a digest that was asked for"));
  }
  if (chunk.offset() != static_cast<int64_t>(blob_.size())) {
    return InvalidField("chunk.offset", absl::StrCat("is ", chunk.offset(), "; the blob goes on at ", blob_.size()));
  }
  const int64_t size = announced_sizes_.at(chunk.sha256());
  if (static_cast<int64_t>(blob_.size() + chunk.data().size()) > size) {
    return InvalidField("chunk.data", absl::StrCat("goes beyond the announced size of ", size, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status UploadSession::TakeChunk(Request::Chunk chunk) {
  RETURN_IF_ERROR(Expect(Stage::kChunks, "chunk"));
  RETURN_IF_ERROR(CheckChunk(chunk));
  const int64_t size = announced_sizes_.at(chunk.sha256());
  if (blob_.empty()) {
    blob_sha256_ = chunk.sha256();
    blob_.reserve(static_cast<size_t>(size));
  }
  blob_.append(chunk.data());
  if (static_cast<int64_t>(blob_.size()) < size) return absl::OkStatus();
  RETURN_IF_ERROR(import_->AddBlob(blob_sha256_, std::move(blob_)));
  missing_.erase(blob_sha256_);
  blob_sha256_.clear();
  blob_ = std::string();
  SendProgress(import_->progress(), /*always=*/missing_.empty());
  return absl::OkStatus();
}

absl::Status UploadSession::Commit() {
  RETURN_IF_ERROR(Expect(Stage::kChunks, "commit"));
  if (!missing_.empty()) {
    return InvalidField("commit", absl::StrCat(missing_.size(), " of the blobs asked for have not been sent"));
  }
  ASSIGN_OR_RETURN(const dataset::ImportResult result, import_->Commit([this](const dataset::ImportProgress& progress) {
    SendProgress(progress, /*always=*/false);
  }));
  SendProgress(import_->progress(), /*always=*/true);
  v1::UploadDatasetResponse response;
  auto& complete = *response.mutable_complete();
  *complete.mutable_version() = ToProto(result.version);
  complete.set_already_existed(result.already_existed);
  complete.set_blobs_received(result.blobs_received);
  sender_->Send(std::move(response));
  return absl::OkStatus();
}

// Progress that a slow reader has not taken yet need not be followed by more.
void UploadSession::SendProgress(const dataset::ImportProgress& progress, bool always) {
  const absl::Time now = absl::Now();
  if (!always && (now < next_progress_ || !sender_->idle())) return;
  next_progress_ = now + kProgressInterval;
  sender_->Send(ToProto(progress));
}

}  // namespace graft::services
