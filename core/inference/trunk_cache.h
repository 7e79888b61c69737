// Frozen backbones in memory: one engine per weights file, shared by every version trained on it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/base/thread_pool.h"
#include "core/engine/engine.h"
#include "core/inference/classifier.h"

namespace graft::inference {

// Loads on its own thread, each trunk once however many ask for it. A load that fails is tried again by the next
// request. Thread-safe.
class TrunkCache {
 public:
  using Trunk = std::shared_ptr<engine::Engine>;
  using Waiter = std::function<void(const absl::StatusOr<Trunk>&)>;

  TrunkCache(std::string weights_root, std::string device, int threads, EngineFactory create_engine);
  // Ends the loads that were asked for, and answers their waiters.
  ~TrunkCache();

  // The trunk if it is loaded. Otherwise null, and `waiter` is called once from the loading thread, without a lock.
  Trunk GetOrWait(const std::string& backbone, const std::string& sha256, Waiter waiter) ABSL_LOCKS_EXCLUDED(mutex_);

  int loaded() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    Trunk trunk;                  // null while loading
    std::vector<Waiter> waiters;  // while loading
  };

  void Load(const std::string& backbone, const std::string& sha256) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Trunk> CreateTrunk(const std::string& backbone, const std::string& sha256) const;

  const std::string weights_root_;
  const std::string device_;
  const int threads_;
  const EngineFactory create_engine_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);  // by weights digest
  std::unique_ptr<ThreadPool> loader_;
};

}  // namespace graft::inference
