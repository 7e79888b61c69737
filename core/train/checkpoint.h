// The state of a head's training between two epochs, on disk. Plain C++.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/train/head_trainer.h"

namespace graft::train {

// All that the next epoch depends on: the order of batches is a function of (seed, epoch), so no generator's state.
struct TrainingState {
  Head head, best;
  Head adam_first, adam_second;
  int64_t adam_step = 0;
  int best_epoch = 0;
  std::vector<EpochMetrics> history;  // its size is the number of finished epochs

  int epoch() const { return static_cast<int>(history.size()); }
};

// SHA-256 over everything that a run is a function of.
std::string InputsDigest(const LabelledFeatures& train, const LabelledFeatures& validation, const HeadOptions& options);

// Writes `state` durably to one of two files, `path`.0 and `path`.1, in turns (checkpoint_file.h).
absl::Status SaveCheckpoint(const std::string& path, const TrainingState& state, const std::string& inputs_digest);

// The later of the two that are whole and of these inputs; nullopt if neither is.
std::optional<TrainingState> LoadCheckpoint(const std::string& path, const std::string& inputs_digest, int dimension,
                                            int classes);

}  // namespace graft::train
