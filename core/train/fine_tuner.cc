#include "core/train/fine_tuner.h"

#include <torch/torch.h>

#include <memory>
#include <utility>

#include "core/base/digest.h"
#include "core/base/status_macros.h"
#include "core/base/stopwatch.h"
#include "core/network/torch_status.h"
#include "core/train/fine_tune_checkpoint.h"
#include "core/train/fine_tune_options.h"
#include "core/train/fine_tune_run.h"

namespace graft::train {
namespace {

absl::StatusOr<std::unique_ptr<FineTuneRun>> MakeRun(const FineTuneInputs& inputs, const FineTuneOptions& options,
                                                     const std::string& checkpoint_path,
                                                     const std::function<bool()>& stop) {
  ASSIGN_OR_RETURN(std::unique_ptr<TrainableNetwork> network,
                   TrainableNetwork::Create(inputs.backbone, *inputs.weights, inputs.head, options.device));
  return std::make_unique<FineTuneRun>(inputs, options, std::move(network), checkpoint_path + ".activations", stop);
}

// False if there is nothing to go on from.
bool RestoreLatest(FineTuneRun& run, const std::string& checkpoint_path, const std::string& inputs_digest) {
  for (const FineTuneCheckpoint& checkpoint : LoadCheckpoints(checkpoint_path, inputs_digest)) {
    if (run.Restore(checkpoint).ok()) return true;
  }
  return false;
}

absl::Status Save(FineTuneRun& run, const std::string& checkpoint_path, const std::string& inputs_digest) {
  ++run.progress().sequence;
  return SaveCheckpoint(checkpoint_path, run.progress(), run.State(), inputs_digest);
}

absl::Status RunToEnd(FineTuneRun& run, const std::string& checkpoint_path, const std::string& inputs_digest,
                      int observed_epochs, const EpochObserver& observer) {
  for (const EpochMetrics& metrics : run.progress().history) {
    RETURN_IF_ERROR(Observe(metrics, observed_epochs, observer));
  }
  while (!run.Finished()) {
    const absl::Status status = run.RunEpoch();
    const Stopwatch stopwatch;
    if (status.ok() || absl::IsCancelled(status)) RETURN_IF_ERROR(Save(run, checkpoint_path, inputs_digest));
    RETURN_IF_ERROR(status);
    EpochMetrics metrics = run.progress().history.back();
    metrics.checkpoint_seconds = stopwatch.seconds();
    RETURN_IF_ERROR(Observe(metrics, observed_epochs, observer));
  }
  return absl::OkStatus();
}

// Its fastest algorithms add up in an order of their own each time.
void MakeCudaDeterministic() {
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setBenchmarkCuDNN(false);
}

}  // namespace

absl::StatusOr<FineTuned> FineTune(const FineTuneInputs& inputs, const FineTuneOptions& options,
                                   const std::string& checkpoint_path, int observed_epochs,
                                   const EpochObserver& observer, const std::function<bool()>& stop) {
  RETURN_IF_ERROR(CheckFineTuning(inputs, options));
  const std::string inputs_digest = InputsDigest(inputs, options);
  return network::StatusFromThrow(absl::StatusCode::kInternal, "fine-tune", [&]() -> absl::StatusOr<FineTuned> {
    if (!torch::Device(options.device).is_cpu()) MakeCudaDeterministic();
    ASSIGN_OR_RETURN(const std::unique_ptr<FineTuneRun> run, MakeRun(inputs, options, checkpoint_path, stop));
    if (!RestoreLatest(*run, checkpoint_path, inputs_digest)) run->Begin();
    RETURN_IF_ERROR(RunToEnd(*run, checkpoint_path, inputs_digest, observed_epochs, observer));
    return run->Result();
  });
}

absl::StatusOr<FineTuned> BestSoFar(const FineTuneInputs& inputs, const FineTuneOptions& options,
                                    const std::string& checkpoint_path) {
  RETURN_IF_ERROR(CheckFineTuning(inputs, options));
  const std::string inputs_digest = InputsDigest(inputs, options);
  FineTuneOptions on_cpu = options;
  on_cpu.device = "cpu";
  return network::StatusFromThrow(absl::StatusCode::kInternal, "read checkpoint", [&]() -> absl::StatusOr<FineTuned> {
    ASSIGN_OR_RETURN(const std::unique_ptr<FineTuneRun> run,
                     MakeRun(inputs, on_cpu, checkpoint_path, [] { return true; }));
    if (!RestoreLatest(*run, checkpoint_path, inputs_digest) || run->progress().best_epoch == 0) {
      return absl::FailedPreconditionError("no epoch of this run has ended yet: there is no checkpoint to keep");
    }
    return run->Result();
  });
}

std::string DigestOf(const FineTuned& tuned) {
  Sha256 digest;
  digest.Update(tuned.backbone_safetensors);
  digest.Update(SerializeHead(tuned.head));
  return digest.HexDigest();
}

}  // namespace graft::train
