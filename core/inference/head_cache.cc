#include "core/inference/head_cache.h"

#include "core/base/status_macros.h"

namespace graft::inference {

absl::StatusOr<std::shared_ptr<const LoadedHead>> HeadCache::Get(const VersionReference& reference) {
  Key key(reference.name, reference.number.value_or(0));
  if (!reference.number) {
    ASSIGN_OR_RETURN(key.second, registry_->ResolveNumber(reference));
  }
  if (std::shared_ptr<const LoadedHead> head = Find(key)) return head;
  // Two first requests may both read the 25 KB: cheaper than making one wait.
  ASSIGN_OR_RETURN(const registry::ModelVersion version,
                   registry_->Find({.name = key.first, .number = key.second, .alias = {}}));
  ASSIGN_OR_RETURN(std::shared_ptr<const LoadedHead> head, LoadHead(version));
  Insert(key, head);
  return head;
}

std::shared_ptr<const LoadedHead> HeadCache::Find(const Key& key) {
  absl::MutexLock lock(&mutex_);
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->head;
}

void HeadCache::Insert(const Key& key, std::shared_ptr<const LoadedHead> head) {
  absl::MutexLock lock(&mutex_);
  if (index_.contains(key)) return;
  bytes_ += head->bytes();
  entries_.push_front({key, std::move(head)});
  index_[key] = entries_.begin();
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    bytes_ -= entries_.back().head->bytes();
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace graft::inference
