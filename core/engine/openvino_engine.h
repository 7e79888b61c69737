// The CPU's engine. Implementation of engine.h.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/engine/engine.h"

namespace graft::engine {

// What EngineId calls it: "openvino-2026.4.1".
std::string OpenVinoName();

// Whether this processor has instructions for bfloat16 and OpenVINO uses them.
bool ProcessorHasBf16();

// Whether this processor multiplies matrices of bfloat16 in a unit made for that: on x86, AMX.
bool ProcessorHasMatrixUnit();

// `target` was checked. The backbone goes through ONNX into OpenVINO: once for callers that use one core each, and once
// more, where there are several cores, for a caller that uses all.
absl::StatusOr<std::unique_ptr<Engine>> CreateOpenVinoEngine(const weights::StoredWeights& weights,
                                                             const EngineTarget& target);

}  // namespace graft::engine
