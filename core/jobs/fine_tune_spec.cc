#include "core/jobs/fine_tune_spec.h"

#include <cmath>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"

namespace graft::jobs {
namespace {

using Names = std::vector<std::string>;

constexpr char kHead[] = "head";
constexpr char kAll[] = "all";

// A preset: its phases, and what holds for all of them. The head is the optimum at once: it is what is published where
// the phases after it make nothing better.
TrainSpec Balanced(const SpecContext& context) {
  return {.phases = {{.trainable = kHead, .optimizer = kLbfgs},
                     {.trainable = absl::StrCat("blocks:", context.backbone_blocks / 2),
                      .optimizer = "adam",
                      .schedule = "cosine",
                      .epochs = 10,
                      .learning_rate = 1e-4,
                      .warmup_epochs = 1}},
          .augment = "light",
          .label_smoothing = 0.1};
}

TrainSpec Best() {
  return {.phases = {{.trainable = kHead, .optimizer = kLbfgs},
                     {.trainable = kAll,
                      .optimizer = "adamw",
                      .schedule = "cosine",
                      .epochs = 20,
                      .learning_rate = 3e-4,
                      .layer_decay = 0.9,
                      .weight_decay = 0.01,
                      .warmup_epochs = 1}},
          .augment = "medium",
          .label_smoothing = 0.1,
          .mixup_alpha = 0.2,
          .cutmix_alpha = 1.0,
          .ema_decay = 0.99};
}

std::string FieldOf(size_t phase, absl::string_view name) {
  return absl::StrCat("spec.phases[", phase, "].", name);
}

absl::Status OutOfRange(absl::string_view field, double value, absl::string_view range) {
  return InvalidField(field, absl::StrCat(value, " is out of range: use ", range));
}

// The first of `names` is the default.
absl::Status Resolve(absl::string_view field, std::string& value, const Names& names) {
  if (value.empty()) value = names.front();
  if (absl::c_linear_search(names, value)) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("there is no '", value, "'; use one of: ", absl::StrJoin(names, ", ")));
}

absl::Status Resolve(absl::string_view field, std::optional<int>& value, int usual, int min, int max) {
  if (!value) value = usual;
  if (*value >= min && *value <= max) return absl::OkStatus();
  return OutOfRange(field, *value, absl::StrCat(min, " to ", max));
}

// From 0 or, if `zero` is not allowed, above it. Written so that NaN fails.
absl::Status Resolve(absl::string_view field, std::optional<double>& value, double usual, double max,
                     bool zero = true) {
  if (!value) value = usual;
  if (std::isfinite(*value) && (zero ? *value >= 0 : *value > 0) && *value <= max) return absl::OkStatus();
  return OutOfRange(field, *value, absl::StrCat(zero ? "0 to " : "more than 0, at most ", max));
}

absl::Status CheckBlocks(absl::string_view field, const std::string& trainable, const SpecContext& context) {
  ASSIGN_OR_RETURN(const int blocks, TrainedBlocks(field, trainable));
  if (blocks == kAllBlocks || blocks <= context.backbone_blocks) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("'", trainable, "': the backbone has ", context.backbone_blocks,
                                          " blocks; use blocks:1 to blocks:", context.backbone_blocks, ", or all"));
}

absl::Status ResolveSolvedPhase(size_t number, Phase& phase) {
  const auto refuse = [&](absl::string_view name) {
    return InvalidField(FieldOf(number, name), "does not go with lbfgs, which runs to the optimum: use adam");
  };
  if (phase.epochs) return refuse("epochs");
  if (phase.patience) return refuse("patience");
  if (phase.batch_size) return refuse("batch_size");
  if (phase.learning_rate) return refuse("learning_rate");
  phase.schedule.clear();
  return absl::OkStatus();
}

// On cached features, so what needs the backbone's gradients or changed pixels has no place in it.
absl::Status ResolveHeadPhase(size_t number, Phase& phase) {
  const auto refuse = [&](absl::string_view name) {
    return InvalidField(FieldOf(number, name),
                        "does not go with \"head\": it is trained on cached features, by adam at a constant rate or "
                        "by lbfgs to its optimum");
  };
  if (number > 0) {
    return InvalidField(FieldOf(number, "trainable"), "\"head\" can only be the first phase: use blocks:N or all");
  }
  RETURN_IF_ERROR(Resolve(FieldOf(number, "optimizer"), phase.optimizer, {"adam", kLbfgs}));
  if (!phase.schedule.empty() && phase.schedule != "constant") return refuse("schedule");
  if (!phase.batch_norm.empty()) return refuse("batch_norm");
  if (phase.accumulation) return refuse("accumulation");
  if (phase.layer_decay) return refuse("layer_decay");
  if (phase.weight_decay) return refuse("weight_decay");
  if (phase.clip_norm) return refuse("clip_norm");
  if (phase.warmup_epochs) return refuse("warmup_epochs");
  if (phase.optimizer == kLbfgs) return ResolveSolvedPhase(number, phase);
  phase.schedule = "constant";
  RETURN_IF_ERROR(Resolve(FieldOf(number, "epochs"), phase.epochs, 25, 1, kMaxEpochs));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "patience"), phase.patience, 3, 1, kMaxEpochs));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "batch_size"), phase.batch_size, 32, 1, kMaxBatchSize));
  return Resolve(FieldOf(number, "learning_rate"), phase.learning_rate, 1e-3, 10, /*zero=*/false);
}

absl::Status CheckTogether(size_t number, const Phase& phase) {
  if (phase.optimizer == "adam" && *phase.weight_decay > 0) {
    return InvalidField(FieldOf(number, "weight_decay"), "does not go with adam: use the optimizer adamw, or 0");
  }
  if (phase.schedule == "one_cycle" && *phase.warmup_epochs > 0) {
    return InvalidField(FieldOf(number, "warmup_epochs"), "does not go with one_cycle, which warms up itself: use 0");
  }
  return absl::OkStatus();
}

absl::Status ResolveImagePhase(size_t number, Phase& phase) {
  RETURN_IF_ERROR(Resolve(FieldOf(number, "optimizer"), phase.optimizer, {"adamw", "adam", "sgd"}));
  RETURN_IF_ERROR(
      Resolve(FieldOf(number, "schedule"), phase.schedule, {"cosine", "constant", "one_cycle", "step", "plateau"}));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "batch_norm"), phase.batch_norm, {"frozen", "train"}));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "epochs"), phase.epochs, 10, 1, kMaxEpochs));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "patience"), phase.patience, 0, 0, kMaxEpochs));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "batch_size"), phase.batch_size, 32, 1, kMaxBatchSize));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "accumulation"), phase.accumulation, 1, 1, *phase.batch_size));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "learning_rate"), phase.learning_rate, 3e-5, 10, /*zero=*/false));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "layer_decay"), phase.layer_decay, 1, 1, /*zero=*/false));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "weight_decay"), phase.weight_decay, 0, 1));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "clip_norm"), phase.clip_norm, 0, 1000));
  RETURN_IF_ERROR(Resolve(FieldOf(number, "warmup_epochs"), phase.warmup_epochs, 0, *phase.epochs));
  return CheckTogether(number, phase);
}

// A preset's last phase, as single fields of the spec change it.
absl::Status Override(const TrainSpec& requested, Phase& phase) {
  if (!requested.trainable.empty()) {
    if (requested.trainable == kHead) return InvalidField("spec.trainable", "\"head\" alone is the preset article");
    phase.trainable = requested.trainable;
  }
  if (requested.epochs) {
    RETURN_IF_ERROR(Resolve("spec.epochs", phase.epochs = requested.epochs, 0, 1, kMaxEpochs));
    if (phase.warmup_epochs && *phase.warmup_epochs > *phase.epochs) phase.warmup_epochs = *phase.epochs;
  }
  if (requested.patience) phase.patience = requested.patience;
  if (requested.batch_size) phase.batch_size = requested.batch_size;
  if (requested.learning_rate) phase.learning_rate = requested.learning_rate;
  if (requested.weight_decay) phase.weight_decay = requested.weight_decay;
  return absl::OkStatus();
}

// With phases in the request a field would have two places.
absl::Status CheckNotOverridden(const TrainSpec& requested) {
  const auto refuse = [](absl::string_view field) {
    return InvalidField(field, "does not go with spec.phases: give it in the phase that it is meant for");
  };
  if (requested.epochs) return refuse("spec.epochs");
  if (requested.patience) return refuse("spec.patience");
  if (requested.batch_size) return refuse("spec.batch_size");
  if (requested.learning_rate) return refuse("spec.learning_rate");
  if (requested.weight_decay) return refuse("spec.weight_decay");
  if (!requested.trainable.empty()) return refuse("spec.trainable");
  return absl::OkStatus();
}

// Where a single field has set a value, an error names that field.
absl::Status NamedAsRequested(const TrainSpec& requested, const absl::Status& status, const std::string& prefix) {
  const auto detail = DetailOf(status);
  const auto* const field = detail ? std::get_if<FieldDetail>(&*detail) : nullptr;
  if (field == nullptr || !absl::StartsWith(field->field, prefix)) return status;
  const absl::string_view name = absl::StripPrefix(field->field, prefix);
  const bool is_single = (name == "patience" && requested.patience) || (name == "batch_size" && requested.batch_size) ||
                         (name == "learning_rate" && requested.learning_rate) ||
                         (name == "weight_decay" && requested.weight_decay) ||
                         (name == "trainable" && !requested.trainable.empty());
  return is_single ? InvalidField(absl::StrCat("spec.", name), field->reason) : status;
}

absl::Status ResolveEach(const SpecContext& context, std::vector<Phase>& phases) {
  int epochs = 0;
  for (size_t i = 0; i < phases.size(); ++i) {
    Phase& phase = phases[i];
    if (phase.trainable.empty()) {
      return InvalidField(FieldOf(i, "trainable"), "is required: head, blocks:N or all");
    }
    RETURN_IF_ERROR(CheckBlocks(FieldOf(i, "trainable"), phase.trainable, context));
    RETURN_IF_ERROR(phase.trainable == kHead ? ResolveHeadPhase(i, phase) : ResolveImagePhase(i, phase));
    epochs += phase.epochs.value_or(0);
  }
  if (epochs <= kMaxEpochs) return absl::OkStatus();
  return InvalidField("spec.phases", absl::StrCat("have ", epochs, " epochs together; use at most ", kMaxEpochs));
}

template <typename T>
void TakeIfSet(const std::optional<T>& from, std::optional<T>& to) {
  if (from) to = from;
}
void TakeIfSet(const std::string& from, std::string& to) {
  if (!from.empty()) to = from;
}

// The preset's values, where the request has none of its own.
absl::Status ResolveLoss(const TrainSpec& requested, TrainSpec& spec) {
  TakeIfSet(requested.augment, spec.augment);
  TakeIfSet(requested.class_weights, spec.class_weights);
  TakeIfSet(requested.label_smoothing, spec.label_smoothing);
  TakeIfSet(requested.focal_gamma, spec.focal_gamma);
  TakeIfSet(requested.mixup_alpha, spec.mixup_alpha);
  TakeIfSet(requested.cutmix_alpha, spec.cutmix_alpha);
  TakeIfSet(requested.ema_decay, spec.ema_decay);
  RETURN_IF_ERROR(Resolve("spec.augment", spec.augment, AugmentNames()));
  RETURN_IF_ERROR(Resolve("spec.class_weights", spec.class_weights, {"none", "balanced", "effective"}));
  RETURN_IF_ERROR(Resolve("spec.label_smoothing", spec.label_smoothing, 0, 0.9));
  RETURN_IF_ERROR(Resolve("spec.focal_gamma", spec.focal_gamma, 0, 10));
  RETURN_IF_ERROR(Resolve("spec.mixup_alpha", spec.mixup_alpha, 0, 10));
  RETURN_IF_ERROR(Resolve("spec.cutmix_alpha", spec.cutmix_alpha, 0, 10));
  return Resolve("spec.ema_decay", spec.ema_decay, 0, 0.99999);
}

absl::Status ResolveTeacher(const TrainSpec& requested, const SpecContext& context, TrainSpec& spec) {
  spec.teacher = context.teacher;
  if (!spec.teacher.empty()) {
    spec.distillation_weight = requested.distillation_weight;
    spec.distillation_temperature = requested.distillation_temperature;
    RETURN_IF_ERROR(Resolve("spec.distillation_weight", spec.distillation_weight, 0.5, 1, /*zero=*/false));
    RETURN_IF_ERROR(Resolve("spec.distillation_temperature", spec.distillation_temperature, 2, 100));
    if (*spec.distillation_temperature >= 0.1) return absl::OkStatus();
    return OutOfRange("spec.distillation_temperature", *spec.distillation_temperature, "0.1 to 100");
  }
  if (requested.distillation_weight) return InvalidField("spec.distillation_weight", "needs a spec.teacher");
  if (requested.distillation_temperature) return InvalidField("spec.distillation_temperature", "needs a spec.teacher");
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> AugmentNames() {
  return {kNoAugment, "light", "medium", "strong"};
}

absl::StatusOr<int> TrainedBlocks(absl::string_view field, absl::string_view trainable) {
  if (trainable == kHead) return 0;
  if (trainable == kAll) return kAllBlocks;
  int blocks = 0;
  absl::string_view number = trainable;
  if (absl::ConsumePrefix(&number, "blocks:") && absl::SimpleAtoi(number, &blocks) && blocks >= 1 &&
      blocks < kAllBlocks && absl::StrCat(blocks) == number) {
    return blocks;
  }
  return InvalidField(field, absl::StrCat("'", trainable, "' is none of: head, blocks:N (the last N, from 1), all"));
}

bool HasPhases(const TrainSpec& requested) {
  return !requested.phases.empty() || requested.preset == kBalancedPreset || requested.preset == kBestPreset ||
         requested.preset == kCustomPreset;
}

absl::Status ResolvePhases(const TrainSpec& requested, const SpecContext& context, TrainSpec& spec) {
  if (requested.phases.size() > size_t{kMaxPhases}) {
    return InvalidField("spec.phases", absl::StrCat("are ", requested.phases.size(), "; use at most ", kMaxPhases));
  }
  if (!requested.solver.empty()) return InvalidField("spec.solver", "does not go with phases, which have their own");
  if (requested.l2) return InvalidField("spec.l2", "does not go with phases: it belongs to solver lbfgs");
  if (!requested.sweep.empty()) {
    return InvalidField("spec.sweep", "is of a head on a frozen backbone: use preset article");
  }
  TrainSpec preset;
  if (!requested.phases.empty()) {
    RETURN_IF_ERROR(CheckNotOverridden(requested));
    preset.phases = requested.phases;
  } else if (spec.preset == kCustomPreset) {
    return InvalidField("spec.phases", "are required by preset custom: at least one");
  } else {
    preset = spec.preset == kBalancedPreset ? Balanced(context) : Best();
    RETURN_IF_ERROR(Override(requested, preset.phases.back()));
  }
  if (const absl::Status status = ResolveEach(context, preset.phases); !status.ok()) {
    return NamedAsRequested(requested, status, FieldOf(preset.phases.size() - 1, ""));
  }
  RETURN_IF_ERROR(ResolveLoss(requested, preset));
  RETURN_IF_ERROR(ResolveTeacher(requested, context, spec));
  spec.phases = std::move(preset.phases);
  spec.augment = std::move(preset.augment);
  spec.class_weights = std::move(preset.class_weights);
  spec.label_smoothing = preset.label_smoothing;
  spec.focal_gamma = preset.focal_gamma;
  spec.mixup_alpha = preset.mixup_alpha;
  spec.cutmix_alpha = preset.cutmix_alpha;
  spec.ema_decay = preset.ema_decay;
  return absl::OkStatus();
}

absl::Status CheckHasNoPhases(const TrainSpec& requested) {
  const auto refuse = [](absl::string_view field) {
    return InvalidField(field, "needs a backbone that is trained too: use preset balanced or best, or give phases");
  };
  if (!requested.trainable.empty() && requested.trainable != kHead) return refuse("spec.trainable");
  if (!requested.class_weights.empty() && requested.class_weights != "none") return refuse("spec.class_weights");
  if (requested.label_smoothing) return refuse("spec.label_smoothing");
  if (requested.focal_gamma) return refuse("spec.focal_gamma");
  if (requested.mixup_alpha) return refuse("spec.mixup_alpha");
  if (requested.cutmix_alpha) return refuse("spec.cutmix_alpha");
  if (requested.ema_decay) return refuse("spec.ema_decay");
  if (!requested.teacher.empty()) return refuse("spec.teacher");
  if (requested.distillation_weight) return refuse("spec.distillation_weight");
  if (requested.distillation_temperature) return refuse("spec.distillation_temperature");
  return absl::OkStatus();
}

absl::Status CheckSteps(const TrainSpec& spec, int64_t photos) {
  const auto steps_of = [photos](int epochs, int batch_size) {
    return epochs * ((photos + batch_size - 1) / batch_size);
  };
  int64_t steps = spec.phases.empty() ? steps_of(spec.epochs.value_or(0), spec.batch_size.value_or(1)) : 0;
  for (const Phase& phase : spec.phases) steps += steps_of(phase.epochs.value_or(0), phase.batch_size.value_or(1));
  if (steps <= kMaxSteps) return absl::OkStatus();
  return InvalidField("spec.batch_size", absl::StrCat("makes ", steps, " steps of ", photos, " photos; at most ",
                                                      kMaxSteps, " are accepted: use larger batches or fewer epochs"));
}

bool SolvesHead(const TrainSpec& spec) {
  return spec.phases.empty() ? spec.solver == kLbfgs : spec.phases.front().optimizer == kLbfgs;
}

int TotalEpochs(const TrainSpec& spec) {
  if (spec.phases.empty()) return spec.epochs.value_or(0);
  int epochs = 0;
  for (const Phase& phase : spec.phases) epochs += phase.epochs.value_or(0);
  return epochs;
}

}  // namespace graft::jobs
