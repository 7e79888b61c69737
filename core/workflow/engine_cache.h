// The engine a worker used last: its next job is on the same backbone more often than not.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/engine/engine.h"
#include "core/weights/weight_store.h"

namespace graft::workflow {

// Where engines come from.
struct EngineFactory {
  std::function<std::string(const std::string& device, engine::Precision precision)> id = engine::EngineId;
  std::function<absl::StatusOr<std::unique_ptr<engine::Engine>>(const weights::StoredWeights& weights,
                                                                const engine::EngineTarget& target)>
      create = engine::CreateEngine;
  std::function<bool(const std::string& device, engine::Precision precision)> supports = engine::SupportsPrecision;
  std::function<bool(const std::string& device)> is_bf16_faster = engine::IsBf16Faster;
};

// One thread at a time.
class EngineCache {
 public:
  explicit EngineCache(EngineFactory factory = {}) : factory_(std::move(factory)) {}

  std::string IdOf(const std::string& device, engine::Precision precision) const {
    return factory_.id(device, precision);
  }
  bool Supports(const std::string& device, engine::Precision precision) const {
    return factory_.supports(device, precision);
  }
  bool IsBf16Faster(const std::string& device) const { return factory_.is_bf16_faster(device); }
  // Valid until the next Get or Drop. Errors of engine::CreateEngine.
  absl::StatusOr<engine::Engine*> Get(const weights::StoredWeights& weights, const engine::EngineTarget& target);
  // Frees the memory of the engine, whose pointers end.
  void Drop();

 private:
  const EngineFactory factory_;
  std::string loaded_;  // weights digest and target of `engine_`
  std::unique_ptr<engine::Engine> engine_;
};

}  // namespace graft::workflow
