#include "core/inference/head_cache.h"

#include <optional>

#include "core/base/status_macros.h"

namespace graft::inference {

absl::StatusOr<std::shared_ptr<const LoadedHead>> HeadCache::Get(const VersionReference& reference) {
  return registry::ReadResolved(*registry_, reference, [&](int number) { return GetVersion(reference.name, number); });
}

absl::StatusOr<std::shared_ptr<const LoadedHead>> HeadCache::GetVersion(const std::string& model, int number) {
  const std::pair<std::string, int> key(model, number);
  if (auto head = heads_.Get(key)) return *std::move(head);
  // Two first requests may both read the 25 KB: cheaper than making one wait.
  ASSIGN_OR_RETURN(const registry::ModelVersion version,
                   registry_->Find({.name = model, .number = number, .alias = {}}));
  ASSIGN_OR_RETURN(std::shared_ptr<const LoadedHead> head, LoadHead(version));
  heads_.Put(key, head, head->bytes());
  return head;
}

absl::StatusOr<std::vector<std::shared_ptr<const LoadedHead>>> HeadCache::Remove(const VersionReference& reference) {
  std::optional<int> number;
  if (reference.number || reference.alias) {
    ASSIGN_OR_RETURN(number, registry_->ResolveNumber(reference));
  }
  return heads_.Remove([&](const std::pair<std::string, int>& key) {
    return key.first == reference.name && (!number || key.second == *number);
  });
}

void HeadCache::AddTo(ClassifierStats& stats) const {
  for (const std::shared_ptr<const LoadedHead>& head : All()) {
    ++stats.heads;
    stats.head_bytes += head->bytes();
    stats.models.insert(head->model);
  }
}

std::vector<std::shared_ptr<const LoadedHead>> HeadCache::RemoveVersion(const std::string& model, int number) {
  return heads_.Remove(
      [key = std::pair(model, number)](const std::pair<std::string, int>& other) { return other == key; });
}

}  // namespace graft::inference
