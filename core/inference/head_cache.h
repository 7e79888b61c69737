// Heads in memory, bounded by bytes: the least recently used leave first.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/inference/head.h"

namespace graft::inference {

// Thread-safe. A head that leaves lives on in the requests that hold it.
class HeadCache {
 public:
  HeadCache(registry::Registry* registry, int64_t max_bytes) : registry_(registry), max_bytes_(max_bytes) {}

  // Reads the database for an alias or the latest version, and the files on first use.
  absl::StatusOr<std::shared_ptr<const LoadedHead>> Get(const VersionReference& reference) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Key = std::pair<std::string, int>;  // model, number
  struct Entry {
    Key key;
    std::shared_ptr<const LoadedHead> head;
  };

  std::shared_ptr<const LoadedHead> Find(const Key& key) ABSL_LOCKS_EXCLUDED(mutex_);
  void Insert(const Key& key, std::shared_ptr<const LoadedHead> head) ABSL_LOCKS_EXCLUDED(mutex_);

  registry::Registry* const registry_;
  const int64_t max_bytes_;
  absl::Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // most recently used first
  absl::flat_hash_map<Key, std::list<Entry>::iterator> index_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace graft::inference
