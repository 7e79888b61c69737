// Checkpoints on disk, whatever is in them: two files written in turns, so that there is always a whole one. Plain C++.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/weights/safetensors.h"

namespace graft::train {

// What a checkpoint belongs to.
struct CheckpointKind {
  std::string format;         // name and version of its content
  std::string inputs_digest;  // of everything that the run is a function of
};

// Writes `path`.0 or `path`.1 durably, by `sequence` in turns: a safetensors file whose metadata holds the kind, the
// sequence, `progress` (any text) and a SHA-256 of the whole.
absl::Status WriteCheckpoint(const std::string& path, const CheckpointKind& kind, int64_t sequence,
                             const std::string& progress, const std::map<std::string, weights::TensorView>& tensors);

struct ReadCheckpoint {
  int64_t sequence;
  std::string progress;
  weights::Safetensors file;
};

// Those of the two that are whole and of this kind, the later one first.
std::vector<ReadCheckpoint> ReadCheckpoints(const std::string& path, const CheckpointKind& kind);

}  // namespace graft::train
