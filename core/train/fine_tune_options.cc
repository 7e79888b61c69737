#include "core/train/fine_tune_options.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/status_macros.h"
#include "core/network/architecture.h"
#include "core/network/blocks.h"

namespace graft::train {
namespace {

absl::Status Require(bool holds, absl::string_view field, absl::string_view range) {
  return holds ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat(field, " must be ", range));
}

// False for NaN.
bool IsWithin(double value, double lowest, double highest) {
  return value >= lowest && value <= highest;
}
bool IsFiniteFrom(double value, double lowest) {
  return std::isfinite(value) && value >= lowest;
}

absl::Status CheckPhase(const PhaseOptions& phase, int blocks, const std::string& name) {
  const auto field = [&name](const char* of_phase) { return absl::StrCat(name, ".", of_phase); };
  if (phase.trainable == Trainable::kLastBlocks) {
    RETURN_IF_ERROR(Require(phase.last_blocks >= 1 && phase.last_blocks <= blocks, field("last_blocks"),
                            absl::StrCat("1 to ", blocks)));
  }
  RETURN_IF_ERROR(Require(phase.epochs >= 1, field("epochs"), "at least 1"));
  RETURN_IF_ERROR(Require(phase.patience >= 0, field("patience"), "at least 0"));
  RETURN_IF_ERROR(Require(IsFiniteFrom(phase.learning_rate, 0) && phase.learning_rate > 0, field("learning_rate"),
                          "a number above 0"));
  RETURN_IF_ERROR(Require(IsWithin(phase.layer_decay, 0, 1) && phase.layer_decay > 0, field("layer_decay"),
                          "above 0 and at most 1"));
  RETURN_IF_ERROR(Require(IsFiniteFrom(phase.weight_decay, 0), field("weight_decay"), "a number, at least 0"));
  RETURN_IF_ERROR(Require(phase.weight_decay == 0 || phase.optimizer != Optimizer::kAdam, field("weight_decay"),
                          "0 with adam: use adamw"));
  RETURN_IF_ERROR(Require(IsFiniteFrom(phase.clip_norm, 0), field("clip_norm"), "a number, at least 0"));
  RETURN_IF_ERROR(Require(IsWithin(phase.warmup_epochs, 0, phase.epochs), field("warmup_epochs"),
                          "at least 0 and at most the phase's epochs"));
  RETURN_IF_ERROR(Require(phase.warmup_epochs == 0 || phase.schedule != Schedule::kOneCycle, field("warmup_epochs"),
                          "0 with one-cycle, which has a warm-up of its own"));
  RETURN_IF_ERROR(Require(phase.batch_size >= 1, field("batch_size"), "at least 1"));
  return Require(phase.accumulation >= 1 && phase.accumulation <= phase.batch_size, field("accumulation"),
                 "at least 1 and at most the batch size");
}

absl::Status CheckLoss(const LossOptions& loss, int classes, bool has_teacher) {
  RETURN_IF_ERROR(Require(IsWithin(loss.label_smoothing, 0, 1) && loss.label_smoothing < 1, "label_smoothing",
                          "at least 0 and below 1"));
  RETURN_IF_ERROR(Require(loss.class_weight.empty() || static_cast<int>(loss.class_weight.size()) == classes,
                          "class_weight", absl::StrCat("empty or ", classes, " weights")));
  for (const double weight : loss.class_weight) {
    RETURN_IF_ERROR(Require(IsFiniteFrom(weight, 0), "class_weight", "numbers, at least 0"));
  }
  RETURN_IF_ERROR(Require(IsFiniteFrom(loss.focal_gamma, 0), "focal_gamma", "a number, at least 0"));
  RETURN_IF_ERROR(Require(IsWithin(loss.distillation_weight, 0, 1), "distillation_weight", "0 to 1"));
  RETURN_IF_ERROR(Require((loss.distillation_weight > 0) == has_teacher, "distillation_weight",
                          "above 0 with a teacher, and 0 without"));
  return Require(IsFiniteFrom(loss.distillation_temperature, 0) && loss.distillation_temperature > 0,
                 "distillation_temperature", "a number above 0");
}

}  // namespace

absl::Status CheckFineTuning(const FineTuneInputs& inputs, const FineTuneOptions& options) {
  ASSIGN_OR_RETURN(const network::Architecture architecture, network::FindArchitecture(inputs.backbone));
  const int dimension = architecture.layers[static_cast<size_t>(architecture.features)].channels;
  const Head& head = inputs.head;
  RETURN_IF_ERROR(Require(head.classes >= 2 && head.dimension == dimension &&
                              head.kernel.size() == static_cast<size_t>(head.dimension) * head.classes &&
                              head.bias.size() == static_cast<size_t>(head.classes),
                          "head", absl::StrCat("of ", dimension, " features and at least 2 classes")));
  RETURN_IF_ERROR(Require(inputs.train->images() >= 1, "the train split", "of at least 1 image"));
  RETURN_IF_ERROR(Require(inputs.validation->images() >= 1, "the validation split", "of at least 1 image"));
  const size_t probabilities = static_cast<size_t>(inputs.train->images()) * head.classes;
  RETURN_IF_ERROR(Require(inputs.teacher.empty() || inputs.teacher.size() == probabilities, "teacher",
                          absl::StrCat("empty or ", probabilities, " probabilities")));

  RETURN_IF_ERROR(Require(!options.phases.empty(), "phases", "at least one"));
  const int blocks = static_cast<int>(network::BlocksOf(architecture).size());
  for (size_t i = 0; i < options.phases.size(); ++i) {
    RETURN_IF_ERROR(CheckPhase(options.phases[i], blocks, absl::StrCat("phases[", i, "]")));
  }
  RETURN_IF_ERROR(CheckLoss(options.loss, head.classes, !inputs.teacher.empty()));
  RETURN_IF_ERROR(Require(IsFiniteFrom(options.mixup_alpha, 0), "mixup_alpha", "a number, at least 0"));
  RETURN_IF_ERROR(Require(IsFiniteFrom(options.cutmix_alpha, 0), "cutmix_alpha", "a number, at least 0"));
  return Require(IsWithin(options.ema_decay, 0, 1) && options.ema_decay < 1, "ema_decay", "at least 0 and below 1");
}

}  // namespace graft::train
