// What was used last stays: values bounded by their bytes together.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"

namespace graft {

// Value: cheap to copy, a shared_ptr for what is not. Thread-safe.
template <typename Key, typename Value>
class LruCache {
 public:
  explicit LruCache(int64_t max_bytes) : max_bytes_(max_bytes) {}

  std::optional<Value> Get(const Key& key) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const auto found = index_.find(key);
    if (found == index_.end()) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->value;
  }

  // Keeps the value that is there already, if one is. The newest stays even if it alone exceeds the bound.
  void Put(const Key& key, Value value, int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (index_.contains(key)) return;
    entries_.push_front({key, std::move(value), bytes});
    index_[key] = entries_.begin();
    bytes_ += bytes;
    while (bytes_ > max_bytes_ && entries_.size() > 1) {
      bytes_ -= entries_.back().bytes;
      index_.erase(entries_.back().key);
      entries_.pop_back();
    }
  }

  std::vector<Value> Values() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    std::vector<Value> values;
    for (const Entry& entry : entries_) values.push_back(entry.value);
    return values;
  }

  // Takes out those whose key `is_meant` accepts.
  std::vector<Value> Remove(absl::FunctionRef<bool(const Key&)> is_meant) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    std::vector<Value> removed;
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto here = entry++;
      if (!is_meant(here->key)) continue;
      removed.push_back(std::move(here->value));
      bytes_ -= here->bytes;
      index_.erase(here->key);
      entries_.erase(here);
    }
    return removed;
  }

 private:
  struct Entry {
    Key key;
    Value value;
    int64_t bytes;
  };

  const int64_t max_bytes_;
  mutable absl::Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // most recently used first
  absl::flat_hash_map<Key, typename std::list<Entry>::iterator> index_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace graft
