// Content-addressed bytes (encoded photos) in append-only segment files, indexed in the database.
//
// Many blobs share a segment and one fsync: a sync per photo would cost half a minute for 7,000 photos. Layout:
// <root>/segments/<id>.seg, rows blobs(sha256, segment, offset, size). Bytes are synced before their rows commit, so an
// indexed blob is always whole; bytes without a row are garbage that Open leaves alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/store/database.h"

namespace graft::store {

struct Blob {
  std::string sha256;
  std::string bytes;
};

// Thread-safe; several processes may use one root (each appends to its own segments).
class BlobStore {
 public:
  static absl::StatusOr<std::unique_ptr<BlobStore>> Open(const std::string& root, Database* database);
  ~BlobStore();

  // Stores all of them durably: appended, one fsync, one transaction. Blobs that are there already are skipped.
  // InvalidArgument if bytes do not have their digest.
  absl::Status Put(absl::Span<const Blob> blobs);

  // Those of `digests` that are not stored, each once, in order.
  absl::StatusOr<std::vector<std::string>> Missing(absl::Span<const std::string> digests);

  // NotFound; DataLoss if the stored bytes no longer have the digest.
  absl::StatusOr<std::string> Get(absl::string_view sha256);

 private:
  class Impl;
  explicit BlobStore(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace graft::store
