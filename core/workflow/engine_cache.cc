#include "core/workflow/engine_cache.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace graft::workflow {

absl::StatusOr<engine::Engine*> EngineCache::Get(const weights::StoredWeights& weights, const std::string& device) {
  const std::string wanted = absl::StrCat(weights.sha256, " ", device);
  if (engine_ != nullptr && loaded_ == wanted) return engine_.get();
  engine_.reset();  // first: there may not be room for two on the device
  ASSIGN_OR_RETURN(engine_, factory_.create(weights, device));
  loaded_ = wanted;
  return engine_.get();
}

}  // namespace graft::workflow
