// Heads in memory, bounded by bytes: the least recently used leave first.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/lru_cache.h"
#include "core/inference/head.h"

namespace graft::inference {

// Thread-safe. A head that leaves lives on in the requests that hold it.
class HeadCache {
 public:
  HeadCache(registry::Registry* registry, int64_t max_bytes) : registry_(registry), heads_(max_bytes) {}

  // Asks the database which version the reference names now, so that a promoted one is seen at once and a deleted one
  // is not; reads the files on first use.
  absl::StatusOr<std::shared_ptr<const LoadedHead>> Get(const VersionReference& reference);

  // Takes out a model's heads, or the one that the reference names.
  absl::StatusOr<std::vector<std::shared_ptr<const LoadedHead>>> Remove(const VersionReference& reference);
  // Takes out one version's head without asking whether the version exists.
  std::vector<std::shared_ptr<const LoadedHead>> RemoveVersion(const std::string& model, int number);
  std::vector<std::shared_ptr<const LoadedHead>> All() const { return heads_.Values(); }
  // Fills in what is about heads.
  void AddTo(ClassifierStats& stats) const;

 private:
  absl::StatusOr<std::shared_ptr<const LoadedHead>> GetVersion(const std::string& model, int number);

  registry::Registry* const registry_;
  LruCache<std::pair<std::string, int>, std::shared_ptr<const LoadedHead>> heads_;  // by model, number
};

}  // namespace graft::inference
