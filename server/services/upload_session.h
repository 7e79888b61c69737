// The server's side of one UploadDataset stream: checks the order and the sizes of the messages, puts chunks together
// to blobs and gives them to the import.
//
//   start -> announce* -> announced -> chunk* -> commit
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "core/dataset/import.h"
#include "graft/v1/dataset.pb.h"
#include "server/rpc/bidi_stream.h"

namespace graft::services {

// Of a chunk or a list of files; a chunk's message may have 1 KiB beside its data.
inline constexpr int kMaxUploadMessageBytes = 1 << 20;

// One thread at a time. At most one blob (20 MiB) is in memory besides what the import holds back for its next sync.
class UploadSession final : public rpc::BidiSession<v1::UploadDatasetRequest, v1::UploadDatasetResponse> {
 public:
  using Sender = rpc::BidiSender<v1::UploadDatasetResponse>;

  // `slot` is held until the session ends.
  UploadSession(dataset::DatasetStore* datasets, store::Database* database, const dataset::ImportLimits& limits,
                Sender* sender, std::shared_ptr<void> slot);

  absl::StatusOr<bool> OnMessage(v1::UploadDatasetRequest request) override;
  // What was received stays: the next upload of the same files asks for the rest.
  absl::Status OnEarlyEnd() override;

 private:
  enum class Stage { kStart, kAnnounce, kChunks };

  absl::Status Handle(v1::UploadDatasetRequest request);
  absl::Status Start(const v1::UploadDatasetRequest::Start& start);
  absl::Status Announce(const v1::UploadDatasetRequest::Announce& announce);
  absl::Status Announced();
  absl::Status TakeChunk(v1::UploadDatasetRequest::Chunk chunk);
  absl::Status CheckChunk(const v1::UploadDatasetRequest::Chunk& chunk) const;
  absl::Status Commit();
  absl::Status Expect(Stage stage, absl::string_view message) const;
  void SendMissing(const std::vector<std::string>& missing);
  void SendProgress(const dataset::ImportProgress& progress, bool always);

  dataset::DatasetStore* const datasets_;
  store::Database* const database_;
  const dataset::ImportLimits limits_;
  Sender* const sender_;
  const std::shared_ptr<void> slot_;

  Stage stage_ = Stage::kStart;
  std::unique_ptr<dataset::Import> import_;
  absl::flat_hash_map<std::string, int64_t> announced_sizes_;  // by digest
  absl::flat_hash_set<std::string> missing_;                   // asked for and not yet whole
  std::string blob_sha256_;                                    // the blob whose chunks are coming; empty between blobs
  std::string blob_;
  absl::Time next_progress_ = absl::InfinitePast();
};

}  // namespace graft::services
