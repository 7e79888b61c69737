// Backbones in memory: one engine per (weights, precision), shared by every version on it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/base/thread_pool.h"
#include "core/engine/engine.h"
#include "core/inference/classifier.h"

namespace graft::inference {

// Weights of the same digest and precision are the same trunk, wherever their file is.
struct TrunkName {
  std::string backbone, sha256;
  engine::Precision precision = engine::Precision::kF32;
  std::string path;  // of the file; empty: in the weight store

  bool operator==(const TrunkName& other) const { return sha256 == other.sha256 && precision == other.precision; }
};

struct TrunkCacheOptions {
  std::string weights_root;
  engine::EngineTarget target;  // its precision is the trunk's
  EngineFactory create_engine;
  int64_t max_bytes = 0;
  // Asked on the loading thread and in Remove; may read the database.
  std::function<bool(const std::string& sha256)> is_pinned;
};

// Loads and warms up on its own thread, each trunk once however many ask for it. Past max_bytes the least recently used
// that are not pinned leave; they live on in the requests that hold them. A load that fails is tried again by the next
// request. Thread-safe.
class TrunkCache {
 public:
  using Trunk = std::shared_ptr<engine::Engine>;
  using Waiter = std::function<void(const absl::StatusOr<Trunk>&)>;

  explicit TrunkCache(TrunkCacheOptions options);
  // Ends the loads that were asked for, and answers their waiters.
  ~TrunkCache();

  // The trunk if it is loaded. Otherwise null, and `waiter` is called once from the loading thread, without a lock.
  Trunk GetOrWait(const TrunkName& name, Waiter waiter) ABSL_LOCKS_EXCLUDED(mutex_);

  // Lets go of a loaded trunk unless it is pinned.
  void Remove(const TrunkName& name) ABSL_LOCKS_EXCLUDED(mutex_);

  int loaded() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Fills in what is about trunks.
  void AddTo(ClassifierStats& stats) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Key = std::pair<std::string, engine::Precision>;  // weights digest, precision
  struct Entry {
    Trunk trunk;                  // null while loading
    std::vector<Waiter> waiters;  // while loading
    int64_t last_use = 0;
  };

  void Load(const TrunkName& name) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Trunk> CreateTrunk(const TrunkName& name) const;
  absl::StatusOr<weights::StoredWeights> FindFile(const TrunkName& name) const;
  void MakeRoom(const Key& kept) ABSL_LOCKS_EXCLUDED(mutex_);
  void RemoveUnlessPinned(const Key& key) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<Key> ByLastUse() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsFull() const ABSL_LOCKS_EXCLUDED(mutex_);

  const TrunkCacheOptions options_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<Key, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
  ClassifierStats counts_ ABSL_GUARDED_BY(mutex_);  // of them those of trunks that only grow
  std::unique_ptr<ThreadPool> loader_;
};

}  // namespace graft::inference
