// One fine-tuning run on its device: the steps between two checkpoints.
#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/evaluate/metrics.h"
#include "core/train/activation_store.h"
#include "core/train/fine_tune_checkpoint.h"
#include "core/train/fine_tuner.h"
#include "core/train/loss.h"
#include "core/train/mix.h"
#include "core/train/split_reader.h"
#include "core/train/trainable_network.h"
#include "core/train/weight_average.h"
#include "core/train/weight_updater.h"

namespace graft::train {

// Every method throws what LibTorch throws. One thread at a time.
class FineTuneRun {
 public:
  // What it is given outlives it; inputs and options have been checked. `spill_path`: of the ActivationStore's file.
  FineTuneRun(const FineTuneInputs& inputs, const FineTuneOptions& options, std::unique_ptr<TrainableNetwork> network,
              const std::string& spill_path, std::function<bool()> stop);

  // One of these comes first. Restore: DataLoss for a checkpoint that does not fit; another, or Begin, may follow.
  void Begin();
  absl::Status Restore(const FineTuneCheckpoint& checkpoint);

  bool Finished() const;
  // Goes on to the end of the next epoch. Cancelled once asked to stop: the state is that of the last update.
  // InvalidArgument for a non-finite loss, after which the state is none to save.
  absl::Status RunEpoch();

  FineTuneProgress& progress() { return progress_; }
  // Everything that Restore fills.
  TensorsByName State() const;
  // Of the best epoch, whose weights the network has then: the run is over. At least one epoch has ended.
  FineTuned Result();

 private:
  struct Batch {
    torch::Tensor images, boundary;  // SplitBatch's
    Targets targets;
  };
  struct PassSums {
    double loss = 0;
    int64_t right = 0;
  };

  const PhaseOptions& phase() const { return options_.phases[static_cast<size_t>(progress_.phase)]; }
  int epoch() const { return static_cast<int>(progress_.history.size()) + 1; }
  int64_t UpdatesPerEpoch() const;
  bool PhaseIsOver() const;

  void BeginPhase(int phase);
  void SetUpPhase();

  absl::StatusOr<evaluate::Metrics> TrainAndValidate();
  // What a stop within an update leaves is that of the last one.
  void DropUpdate();
  absl::Status CheckPrecision();
  void FallBackToF32();

  absl::Status TrainEpoch();
  absl::Status ReadOn();
  bool KeepsActivations(const BatchSource& source) const;
  absl::StatusOr<Batch> NextBatch();
  PassSums RunPasses(const Batch& batch);
  PassSums RunPass(const Batch& batch, int pass, int64_t first, int64_t last);
  void EndUpdate(const PassSums& sums);

  absl::StatusOr<evaluate::Metrics> Validate(const std::vector<int64_t>& images, bool bf16);
  absl::Status EndEpoch(const evaluate::Metrics& validation);
  void EndPhaseEpoch(double validation_loss);

  absl::Status StoppedHere() const;

  const FineTuneInputs& inputs_;
  const FineTuneOptions& options_;
  const std::unique_ptr<TrainableNetwork> network_;
  const std::function<bool()> stop_;
  const TensorsByName changing_;  // the network's tensors that some phase changes
  const Loss loss_;
  const MixOptions mix_;

  ActivationStore activations_;  // of the phase's boundary, both splits'
  SplitReader train_, validation_;

  FineTuneProgress progress_;
  TensorsByName best_;                    // of the best epoch, as changing_; filled once there is one
  std::optional<WeightUpdater> updater_;  // of the phase
  std::optional<WeightAverage> average_;  // of the phase, with ema_decay
  std::vector<int64_t> order_;            // of the epoch under way
  // The network's moved statistics before the update under way; empty between updates.
  std::vector<torch::Tensor> statistics_before_;
};

}  // namespace graft::train
