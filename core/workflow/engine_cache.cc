#include "core/workflow/engine_cache.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace graft::workflow {

absl::StatusOr<engine::Engine*> EngineCache::Get(const weights::StoredWeights& weights,
                                                 const engine::EngineTarget& target) {
  const std::string wanted =
      absl::StrCat(weights.sha256, " ", target.device, " ", engine::NameOf(target.precision), " ", target.threads);
  if (engine_ != nullptr && loaded_ == wanted) return engine_.get();
  engine_.reset();  // first: there may not be room for two on the device
  ASSIGN_OR_RETURN(engine_, factory_.create(weights, target));
  loaded_ = wanted;
  return engine_.get();
}

void EngineCache::Drop() {
  engine_.reset();
  loaded_.clear();
}

}  // namespace graft::workflow
