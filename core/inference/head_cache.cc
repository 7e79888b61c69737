#include "core/inference/head_cache.h"

#include "core/base/status_macros.h"

namespace graft::inference {

absl::StatusOr<std::shared_ptr<const LoadedHead>> HeadCache::Get(const VersionReference& reference) {
  ASSIGN_OR_RETURN(const int number, registry_->ResolveNumber(reference));
  const std::pair<std::string, int> key(reference.name, number);
  if (auto head = heads_.Get(key)) return *std::move(head);
  // Two first requests may both read the 25 KB: cheaper than making one wait.
  ASSIGN_OR_RETURN(const registry::ModelVersion version,
                   registry_->Find({.name = key.first, .number = key.second, .alias = {}}));
  ASSIGN_OR_RETURN(std::shared_ptr<const LoadedHead> head, LoadHead(version));
  heads_.Put(key, head, head->bytes());
  return head;
}

}  // namespace graft::inference
