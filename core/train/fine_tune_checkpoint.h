// The state of a fine-tuning run at one of its updates, on disk.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/train/fine_tuner.h"
#include "core/train/schedule.h"
#include "core/train/trainable_network.h"
#include "core/weights/safetensors.h"

namespace graft::train {

// All of a run's state but its tensors. Random numbers are functions of (seed, epoch, update), so no generator's.
struct FineTuneProgress {
  int64_t sequence = 0;  // of checkpoints written
  // The phase under way.
  int phase = 0;  // index
  int phase_epochs = 0;
  int64_t phase_updates = 0;
  int phase_best_epochs = 0;     // phase_epochs when its validation loss was lowest
  double phase_lowest_loss = 0;  // valid if phase_best_epochs > 0
  bool bf16_checked = false;
  PlateauState plateau;
  // The epoch under way.
  int64_t epoch_updates = 0;
  double loss_sum = 0;
  int64_t right_count = 0;
  double learning_rate = 0;
  double seconds = 0;
  // The run.
  bool bf16 = false, fell_back_to_f32 = false;
  int best_epoch = 0;
  std::vector<EpochMetrics> history;
};

// SHA-256 over everything that a run is a function of. PhaseOptions::accumulation is not in it, so that a run which ran
// out of memory can go on in smaller passes, nor are the activations' limits, on which nothing depends.
std::string InputsDigest(const FineTuneInputs& inputs, const FineTuneOptions& options);

// `tensors`: float32, any device. As checkpoint_file.h.
absl::Status SaveCheckpoint(const std::string& path, const FineTuneProgress& progress, const TensorsByName& tensors,
                            const std::string& inputs_digest);

struct FineTuneCheckpoint {
  FineTuneProgress progress;
  weights::Safetensors file;
};

// Those that are whole and of these inputs, the later one first.
std::vector<FineTuneCheckpoint> LoadCheckpoints(const std::string& path, const std::string& inputs_digest);

// Fills the tensors with the file's of the same names. DataLoss, with nothing filled, if one is missing or of another
// shape.
absl::Status FillTensors(const weights::Safetensors& file, const TensorsByName& tensors);

}  // namespace graft::train
