#include "core/train/fine_tune_checkpoint.h"

#include <torch/torch.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/digest.h"
#include "core/base/status_from_throw.h"
#include "core/train/checkpoint_file.h"
#include "core/train/epoch_json.h"
#include "core/train/head_tensors.h"

namespace graft::train {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlateauState, factor, lowest_loss, epochs, epochs_waited)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FineTuneProgress, sequence, phase, phase_epochs, phase_updates, phase_best_epochs,
                                   phase_lowest_loss, bf16_checked, plateau, epoch_updates, loss_sum, right_count,
                                   learning_rate, seconds, bf16, fell_back_to_f32, best_epoch, history)

namespace {

using Json = nlohmann::json;

constexpr char kFineTuneFormat[] = "graft-fine-tune-checkpoint-1";

Json ToJson(const PhaseOptions& phase) {
  return {{"trainable", phase.trainable},
          {"last_blocks", phase.last_blocks},
          {"epochs", phase.epochs},
          {"patience", phase.patience},
          {"optimizer", phase.optimizer},
          {"learning_rate", phase.learning_rate},
          {"layer_decay", phase.layer_decay},
          {"weight_decay", phase.weight_decay},
          {"clip_norm", phase.clip_norm},
          {"schedule", phase.schedule},
          {"warmup_epochs", phase.warmup_epochs},
          {"batch_size", phase.batch_size},
          {"batch_norm", phase.batch_norm}};
}

Json ToJson(const FineTuneOptions& options) {
  Json phases = Json::array();
  for (const PhaseOptions& phase : options.phases) phases.push_back(ToJson(phase));
  const LossOptions& loss = options.loss;
  return {{"phases", phases},
          {"label_smoothing", loss.label_smoothing},
          {"class_weight", loss.class_weight},
          {"focal_gamma", loss.focal_gamma},
          {"distillation_weight", loss.distillation_weight},
          {"distillation_temperature", loss.distillation_temperature},
          {"mixup_alpha", options.mixup_alpha},
          {"cutmix_alpha", options.cutmix_alpha},
          {"ema_decay", options.ema_decay},
          {"seed", options.seed},
          {"device", options.device},
          {"bf16", options.bf16}};
}

absl::string_view BytesOf(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

void UpdateWith(Sha256& digest, absl::string_view bytes) {
  digest.Update(absl::StrCat(bytes.size(), "\n"));
  digest.Update(bytes);
}

}  // namespace

std::string InputsDigest(const FineTuneInputs& inputs, const FineTuneOptions& options) {
  Sha256 digest;
  UpdateWith(digest, Json{{"format", kFineTuneFormat},
                          {"backbone", inputs.backbone},
                          {"data", inputs.data_digest},
                          {"images", {inputs.train->images(), inputs.validation->images()}},
                          {"dimension", inputs.head.dimension},
                          {"classes", inputs.head.classes},
                          {"options", ToJson(options)}}
                         .dump());
  for (const auto& [name, tensor] : inputs.weights->tensors()) {
    UpdateWith(digest, name);
    UpdateWith(digest, tensor.data);
  }
  for (const std::vector<float>* values : {&inputs.head.kernel, &inputs.head.bias, &inputs.teacher}) {
    UpdateWith(digest, BytesOf(*values));
  }
  return digest.HexDigest();
}

absl::Status SaveCheckpoint(const std::string& path, const FineTuneProgress& progress, const TensorsByName& tensors,
                            const std::string& inputs_digest) {
  TensorsByName on_cpu;
  std::map<std::string, weights::TensorView> views;
  for (const auto& [name, tensor] : tensors) {
    on_cpu[name] = tensor.detach().to(torch::kCPU).contiguous();
    views[name] = ViewOf(on_cpu[name]);
  }
  return WriteCheckpoint(path, {kFineTuneFormat, inputs_digest}, progress.sequence, Json(progress).dump(), views);
}

std::vector<FineTuneCheckpoint> LoadCheckpoints(const std::string& path, const std::string& inputs_digest) {
  std::vector<FineTuneCheckpoint> checkpoints;
  for (ReadCheckpoint& read : ReadCheckpoints(path, {kFineTuneFormat, inputs_digest})) {
    absl::StatusOr<FineTuneProgress> progress = StatusFromThrow(absl::StatusCode::kDataLoss, "read checkpoint", [&] {
      return Json::parse(read.progress).get<FineTuneProgress>();
    });
    if (progress.ok()) checkpoints.push_back({.progress = *std::move(progress), .file = std::move(read.file)});
  }
  return checkpoints;
}

absl::Status FillTensors(const weights::Safetensors& file, const TensorsByName& tensors) {
  for (const auto& [name, tensor] : tensors) {
    const auto found = file.tensors().find(name);
    if (found == file.tensors().end() || found->second.dtype != weights::DType::kF32 ||
        found->second.shape != tensor.sizes().vec()) {
      return absl::DataLossError(absl::StrCat("no float32 tensor '", name, "' of the expected shape"));
    }
  }
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : tensors) {
    const weights::TensorView& view = file.tensors().at(name);
    // A copy of bytes: they need not be aligned in the file.
    torch::Tensor values = torch::empty(view.shape, torch::kFloat32);
    if (!view.data.empty()) memcpy(values.data_ptr(), view.data.data(), view.data.size());
    tensor.copy_(values);
  }
  return absl::OkStatus();
}

}  // namespace graft::train
