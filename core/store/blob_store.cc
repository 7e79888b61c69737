#include "core/store/blob_store.h"

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "core/store/segment.h"
#include "core/store/transaction.h"

namespace graft::store {
namespace {

using soci::into;
using soci::use;

// Large enough that a photo folder is a handful of files, small enough to copy or verify one at a time.
constexpr int64_t kMaxSegmentBytes = int64_t{256} << 20;
constexpr int kMaxOpenSegments = 64;

struct Place {
  std::string segment;
  long long offset = 0;
  long long size = 0;
};

struct PlacedBlob {
  std::string sha256;
  Place place;
};

std::optional<Place> FindPlace(soci::session& sql, const std::string& sha256) {
  Place place;
  sql << "SELECT segment, offset, size FROM blobs WHERE sha256 = :sha256", use(sha256), into(place.segment),
      into(place.offset), into(place.size);
  return sql.got_data() ? std::optional<Place>(std::move(place)) : std::nullopt;
}

void InsertRows(soci::session& sql, absl::Span<const PlacedBlob> blobs) {
  PlacedBlob row;
  // Another process may have stored the same blob meanwhile; its row stays and our bytes are garbage.
  soci::statement insert = (sql.prepare << "INSERT OR IGNORE INTO blobs (sha256, segment, offset, size) "
                                           "VALUES (:sha256, :segment, :offset, :size)",
                            use(row.sha256), use(row.place.segment), use(row.place.offset), use(row.place.size));
  for (const PlacedBlob& blob : blobs) {
    row = blob;
    insert.execute(true);
  }
}

absl::Status CheckDigests(absl::Span<const Blob> blobs) {
  for (const Blob& blob : blobs) {
    const std::string actual = Sha256Hex(blob.bytes);
    if (actual != blob.sha256) {
      return absl::InvalidArgumentError(absl::StrCat("bytes announced as ", blob.sha256, " have the digest ", actual));
    }
  }
  return absl::OkStatus();
}

}  // namespace

class BlobStore::Impl {
 public:
  Impl(std::string segments, Database* database) : segments_(std::move(segments)), database_(database) {}

  absl::Status Put(absl::Span<const Blob> blobs) {
    RETURN_IF_ERROR(CheckDigests(blobs));
    std::vector<std::string> digests;
    for (const Blob& blob : blobs) digests.push_back(blob.sha256);
    ASSIGN_OR_RETURN(const std::vector<std::string> missing, Missing(digests));
    if (missing.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::vector<PlacedBlob> placed, AppendAndSync(blobs, missing));
    return database_->Write("index blobs", [&placed](Transaction& transaction) {
      InsertRows(transaction.sql(), placed);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::vector<std::string>> Missing(absl::Span<const std::string> digests) {
    std::vector<std::string> missing;
    RETURN_IF_ERROR(database_->Read("look up blobs", [&](Transaction& transaction) {
      absl::flat_hash_set<absl::string_view> seen;
      std::string sha256;
      int found = 0;
      soci::statement count =
          (transaction.sql().prepare << "SELECT COUNT(*) FROM blobs WHERE sha256 = :sha256", use(sha256), into(found));
      for (const std::string& digest : digests) {
        if (!seen.insert(digest).second) continue;
        sha256 = digest;
        count.execute(true);
        if (found == 0) missing.push_back(digest);
      }
      return absl::OkStatus();
    }));
    return missing;
  }

  absl::StatusOr<std::string> Get(absl::string_view sha256) {
    const std::string digest(sha256);
    std::optional<Place> place;
    RETURN_IF_ERROR(database_->Read("look up blob", [&](Transaction& transaction) {
      place = FindPlace(transaction.sql(), digest);
      return absl::OkStatus();
    }));
    if (!place.has_value()) return ResourceNotFound("blob", digest);
    absl::StatusOr<std::string> bytes = ReadPlace(*place);
    if (!bytes.ok()) return WithContext(bytes.status(), absl::StrCat("blob ", digest));
    if (const std::string actual = Sha256Hex(*bytes); actual != digest) {
      return absl::DataLossError(absl::StrCat("blob ", digest, " in ", SegmentPath(segments_, place->segment),
                                              " at offset ", place->offset, " has the digest ", actual));
    }
    return bytes;
  }

 private:
  // The writer goes back only after success: after an error the end of its segment is unknown.
  absl::StatusOr<std::vector<PlacedBlob>> AppendAndSync(absl::Span<const Blob> blobs,
                                                        absl::Span<const std::string> missing)
      ABSL_LOCKS_EXCLUDED(append_mutex_) {
    absl::flat_hash_set<absl::string_view> wanted(missing.begin(), missing.end());
    absl::MutexLock lock(&append_mutex_);
    std::unique_ptr<SegmentWriter> writer = std::move(writer_);
    std::vector<PlacedBlob> placed;
    for (const Blob& blob : blobs) {
      if (wanted.erase(blob.sha256) == 0) continue;
      if (writer != nullptr && writer->size() >= kMaxSegmentBytes) {
        RETURN_IF_ERROR(writer->Sync());
        writer = nullptr;
      }
      if (writer == nullptr) {
        ASSIGN_OR_RETURN(writer, SegmentWriter::Create(segments_));
      }
      ASSIGN_OR_RETURN(const int64_t offset, writer->Append(blob.bytes));
      placed.push_back({blob.sha256, {writer->id(), offset, static_cast<long long>(blob.bytes.size())}});
    }
    RETURN_IF_ERROR(writer->Sync());
    writer_ = std::move(writer);
    return placed;
  }

  absl::StatusOr<std::string> ReadPlace(const Place& place) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const SegmentReader> reader, OpenSegment(place.segment));
    return reader->Read(place.offset, place.size);
  }

  absl::StatusOr<std::shared_ptr<const SegmentReader>> OpenSegment(const std::string& id)
      ABSL_LOCKS_EXCLUDED(readers_mutex_) {
    absl::MutexLock lock(&readers_mutex_);
    if (const auto found = readers_.find(id); found != readers_.end()) return found->second;
    ASSIGN_OR_RETURN(std::shared_ptr<const SegmentReader> reader, SegmentReader::Open(segments_, id));
    if (readers_.size() >= kMaxOpenSegments) readers_.erase(readers_.begin());
    readers_.emplace(id, reader);
    return reader;
  }

  const std::string segments_;
  Database* const database_;

  absl::Mutex append_mutex_;
  std::unique_ptr<SegmentWriter> writer_ ABSL_GUARDED_BY(append_mutex_);

  absl::Mutex readers_mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<const SegmentReader>> readers_ ABSL_GUARDED_BY(readers_mutex_);
};

BlobStore::BlobStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BlobStore::~BlobStore() = default;

absl::StatusOr<std::unique_ptr<BlobStore>> BlobStore::Open(const std::string& root, Database* database) {
  const std::string segments = root + "/segments";
  RETURN_IF_ERROR(CreateFolders(segments));
  RETURN_IF_ERROR(SyncFolder(root));
  return std::unique_ptr<BlobStore>(new BlobStore(std::make_unique<Impl>(segments, database)));
}

absl::Status BlobStore::Put(absl::Span<const Blob> blobs) {
  return impl_->Put(blobs);
}

absl::StatusOr<std::vector<std::string>> BlobStore::Missing(absl::Span<const std::string> digests) {
  return impl_->Missing(digests);
}

absl::StatusOr<std::string> BlobStore::Get(absl::string_view sha256) {
  return impl_->Get(sha256);
}

}  // namespace graft::store
