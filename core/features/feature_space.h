// One space of the cache: the features of images under one key, in a folder of feature files.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/features/feature_file.h"
#include "core/features/space_key.h"

namespace graft::features {

// Holds an index of the space in memory (about 60 bytes an image). Writes to a file of its own, made at the first
// Flush with something to write; sees other processes' files at Refresh. One thread at a time.
class FeatureSpace {
 public:
  FeatureSpace(const std::string& root, const SpaceKey& key);

  const std::string& folder() const { return folder_; }

  // Makes the folder if it is not there, marks the space as used now, and indexes what is new in it.
  absl::Status Refresh();
  // False if the image's features are not there, or no longer whole (they are then forgotten).
  bool Read(const Digest& digest, absl::Span<float> values);
  // Buffers; durable after Flush, seen by Read after the next Refresh.
  absl::Status Add(const Digest& digest, absl::Span<const float> values);
  absl::Status Flush();
  int pending() const { return writer_ == nullptr ? 0 : writer_->pending(); }

 private:
  struct File {
    std::unique_ptr<FeatureFileReader> reader;
    int64_t indexed = 0;  // records
  };
  struct Location {
    const FeatureFileReader* reader;
    int64_t record;
  };
  absl::Status MarkUsed() const;
  bool Evicted() const;
  absl::Status IndexFile(const std::string& path);

  const SpaceKey key_;
  const std::string folder_;
  std::unique_ptr<FeatureFileWriter> writer_;
  std::map<std::string, File> files_;  // by path
  absl::flat_hash_map<Digest, Location> index_;
};

// Deletes spaces under `root`, least recently used first, never `kept`, until what is there and `reserve_bytes` fit
// into `max_bytes` or nothing else is left.
absl::Status EvictSpaces(const std::string& root, const std::string& kept, int64_t reserve_bytes, int64_t max_bytes);

}  // namespace graft::features
