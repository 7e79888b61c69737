#include "core/jobs/train_spec.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "core/jobs/fine_tune_spec.h"

namespace graft::jobs {
namespace {

constexpr char kAdam[] = "adam";
constexpr size_t kMaxNameBytes = 63;
constexpr double kMostSeconds = 30 * 24 * 3600;
constexpr char kLowPriority[] = "low", kNormalPriority[] = "normal", kHighPriority[] = "high";

// Of a head. Those with phases are in fine_tune_spec.
struct Preset {
  const char* name;
  const char* solver;
};
constexpr Preset kHeadPresets[] = {{kArticlePreset, kAdam}, {kFastPreset, kLbfgs}};  // the first is the default

// Weaker, the optimum of separable classes is so far away that finding it takes too long; stronger, the head is its
// bias.
constexpr double kLeastL2 = 1e-6;
constexpr double kMostL2 = 1000;

// The article's recipe; its epochs depend on the backbone (SpecContext).
constexpr int kArticlePatience = 3;
constexpr int kArticleBatchSize = 32;
constexpr double kArticleLearningRate = 0.001;
constexpr double kTrainFraction = 0.7;
constexpr double kValidationFraction = 0.15;
constexpr int kMaxFolds = 100;
constexpr int kUsualViews = 4;

absl::StatusOr<int> InRange(absl::string_view field, int value, int max) {
  if (value >= 1 && value <= max) return value;
  return InvalidField(field, absl::StrCat(value, " is out of range: use 1 to ", max));
}

// These three are written so that NaN fails.
absl::StatusOr<double> Positive(absl::string_view field, double value, double max) {
  if (std::isfinite(value) && value > 0 && value <= max) return value;
  return InvalidField(field, absl::StrCat(value, " is out of range: use more than 0, at most ", max));
}

absl::StatusOr<double> LearningRate(absl::string_view field, double value) {
  return Positive(field, value, 10);
}

absl::StatusOr<double> WeightDecay(absl::string_view field, double value) {
  if (value >= 0 && value <= 1) return value;
  return InvalidField(field, absl::StrCat(value, " is out of range: use 0 to 1"));
}

absl::StatusOr<double> Fraction(absl::string_view field, double value) {
  if (value > 0 && value < 1) return value;
  return InvalidField(field, absl::StrCat(value, " is out of range: use more than 0 and less than 1"));
}

absl::Status CheckRequired(const TrainSpec& requested) {
  if (requested.dataset.empty())
    return InvalidField("spec.dataset", "is required, e.g. \"animals5\" or \"animals5:2\"");
  if (requested.backbone.empty()) return InvalidField("spec.backbone", "is required, e.g. \"mobilenet_v2\"");
  return absl::OkStatus();
}

absl::StatusOr<std::string> ResolvePreset(const TrainSpec& requested) {
  static const auto& presets =
      *new std::vector<std::string>{kArticlePreset, kFastPreset, kBalancedPreset, kBestPreset, kCustomPreset};
  const std::string& preset = requested.preset;
  if (!preset.empty() && std::find(presets.begin(), presets.end(), preset) == presets.end()) {
    return InvalidField("spec.preset",
                        absl::StrCat("there is no preset '", preset, "'; presets are: ", absl::StrJoin(presets, ", ")));
  }
  if (requested.phases.empty()) return preset.empty() ? kArticlePreset : preset;
  if (preset.empty() || preset == kCustomPreset) return std::string(kCustomPreset);
  return InvalidField("spec.preset",
                      absl::StrCat("'", preset, "' does not go with spec.phases: leave one of them out"));
}

// Cut so that it still is a name.
std::string DefaultModel(const std::string& dataset, const std::string& backbone) {
  std::string name = absl::StrReplaceAll(absl::StrCat(dataset, "-", backbone), {{"_", "-"}});
  name.resize(std::min(name.size(), kMaxNameBytes));
  while (absl::EndsWith(name, "-")) name.pop_back();
  return name;
}

absl::StatusOr<std::string> ResolveModel(const TrainSpec& requested, const std::string& dataset) {
  std::string model = requested.model.empty() ? DefaultModel(dataset, requested.backbone) : requested.model;
  RETURN_IF_ERROR(ValidateName("spec.model", model));
  return model;
}

absl::StatusOr<std::string> ResolveDevice(const std::string& device, const std::vector<std::string>& devices) {
  if (devices.empty()) {
    return PreconditionFailed("devices",
                              "no worker is configured, so nothing can be trained; give the server a device");
  }
  if (!device.empty() && device != "auto") {
    if (std::find(devices.begin(), devices.end(), device) != devices.end()) return device;
    return InvalidField("spec.device", absl::StrCat("no worker for '", device,
                                                    "'; use \"auto\" or one of: ", absl::StrJoin(devices, ", ")));
  }
  for (const char* kind : {"cuda", "cpu"}) {
    for (const std::string& candidate : devices) {
      if (absl::StartsWith(candidate, kind)) return candidate;
    }
  }
  return devices.front();
}

absl::StatusOr<std::string> OneOf(absl::string_view field, const std::string& value,
                                  const std::vector<std::string>& known) {
  if (value.empty()) return known.front();
  if (std::find(known.begin(), known.end(), value) != known.end()) return value;
  return InvalidField(field, absl::StrCat("there is no '", value, "'; use one of: ", absl::StrJoin(known, ", ")));
}

// "auto" stays: what it becomes is measured when there is a head.
absl::StatusOr<std::string> ResolvePrecision(const std::string& requested, const std::string& device,
                                             const std::vector<std::string>& bf16_devices) {
  const bool has_bf16 = std::find(bf16_devices.begin(), bf16_devices.end(), device) != bf16_devices.end();
  if (requested != "bf16" || has_bf16) return OneOf("spec.precision", requested, {"auto", "f32", "bf16"});
  return InvalidField("spec.precision", absl::StrCat("device '", device, "' has no bf16; use \"auto\" or \"f32\""));
}

// Nothing stays nothing: no limit.
absl::StatusOr<std::optional<double>> ResolveMaxSeconds(const std::optional<double>& requested) {
  if (!requested) return requested;
  if (std::isfinite(*requested) && *requested > 0 && *requested <= kMostSeconds) return requested;
  return InvalidField("spec.max_duration", absl::StrCat(*requested, " s is out of range: use more than 0, at most ",
                                                        kMostSeconds, " s (30 days), or leave it out"));
}

absl::Status ResolveFractions(const TrainSpec& requested, TrainSpec& spec) {
  ASSIGN_OR_RETURN(spec.train_fraction,
                   Fraction("spec.train_fraction", requested.train_fraction.value_or(kTrainFraction)));
  ASSIGN_OR_RETURN(spec.validation_fraction,
                   Fraction("spec.validation_fraction", requested.validation_fraction.value_or(kValidationFraction)));
  if (*spec.train_fraction + *spec.validation_fraction < 1) return absl::OkStatus();
  return InvalidField(
      "spec.validation_fraction",
      absl::StrCat("train_fraction ", *spec.train_fraction, " and validation_fraction ", *spec.validation_fraction,
                   " leave nothing for the test split; their sum must be ", "less than 1"));
}

absl::Status ResolveFolds(const TrainSpec& requested, TrainSpec& spec) {
  spec.folds = requested.folds;
  spec.fold = requested.fold;
  if (!spec.folds && !spec.fold) return absl::OkStatus();
  if (!spec.folds) return InvalidField("spec.folds", "is required where spec.fold is set: how many folds are there?");
  if (*spec.folds < 2 || *spec.folds > kMaxFolds) {
    return InvalidField("spec.folds", absl::StrCat(*spec.folds, " is out of range: use 2 to ", kMaxFolds));
  }
  if (spec.fold && *spec.fold >= 1 && *spec.fold <= *spec.folds) return absl::OkStatus();
  return InvalidField(
      "spec.fold", absl::StrCat("says which of the ", *spec.folds, " folds is the test split: use 1 to ", *spec.folds));
}

absl::Status RefuseIfSet(absl::string_view field, bool set, absl::string_view its_solver, const TrainSpec& spec) {
  if (!set) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("belongs to solver ", its_solver, ", but this job's is ", spec.solver,
                                          ": leave it out, or use solver ", its_solver));
}

absl::Status CheckSwept(const SweptField& swept, const TrainSpec& requested) {
  const bool is_rate = swept.field == kLearningRate;
  if (!is_rate && swept.field != kWeightDecay) {
    return InvalidField("spec.sweep", absl::StrCat("'", swept.field, "' cannot be swept; use one of: ", kLearningRate,
                                                   ", ", kWeightDecay));
  }
  if (swept.values.empty()) return InvalidField("spec.sweep", absl::StrCat(swept.field, " has no values"));
  if (is_rate ? requested.learning_rate.has_value() : requested.weight_decay.has_value()) {
    return InvalidField(absl::StrCat("spec.", swept.field), "is swept: leave it out, or leave it out of the sweep");
  }
  for (const double value : swept.values) {
    RETURN_IF_ERROR((is_rate ? LearningRate("spec.sweep", value) : WeightDecay("spec.sweep", value)).status());
  }
  return absl::OkStatus();
}

absl::Status CheckSweep(const TrainSpec& requested) {
  std::set<std::string> fields;
  size_t combinations = 1;
  for (const SweptField& swept : requested.sweep) {
    RETURN_IF_ERROR(CheckSwept(swept, requested));
    if (!fields.insert(swept.field).second) {
      return InvalidField("spec.sweep", absl::StrCat(swept.field, " is there twice"));
    }
    // Each factor is checked before the next, so that the product stays small.
    constexpr size_t kMost = kMaxSweepCombinations;
    if (swept.values.size() > kMost || (combinations *= swept.values.size()) > kMost) {
      return InvalidField("spec.sweep", absl::StrCat("more than ", kMost, " combinations: use fewer values"));
    }
  }
  return absl::OkStatus();
}

bool Sweeps(const TrainSpec& spec, absl::string_view field) {
  return std::any_of(spec.sweep.begin(), spec.sweep.end(),
                     [&](const SweptField& swept) { return swept.field == field; });
}

absl::Status ResolveAdam(const TrainSpec& requested, int article_epochs, TrainSpec& spec) {
  RETURN_IF_ERROR(RefuseIfSet("spec.l2", requested.l2.has_value(), kLbfgs, spec));
  ASSIGN_OR_RETURN(spec.epochs, InRange("spec.epochs", requested.epochs.value_or(article_epochs), kMaxEpochs));
  ASSIGN_OR_RETURN(spec.patience, InRange("spec.patience", requested.patience.value_or(kArticlePatience), kMaxEpochs));
  ASSIGN_OR_RETURN(spec.batch_size,
                   InRange("spec.batch_size", requested.batch_size.value_or(kArticleBatchSize), kMaxBatchSize));
  RETURN_IF_ERROR(CheckSweep(requested));
  spec.sweep = requested.sweep;
  if (!Sweeps(spec, kLearningRate)) {
    ASSIGN_OR_RETURN(spec.learning_rate,
                     LearningRate("spec.learning_rate", requested.learning_rate.value_or(kArticleLearningRate)));
  }
  if (!Sweeps(spec, kWeightDecay)) {
    ASSIGN_OR_RETURN(spec.weight_decay, WeightDecay("spec.weight_decay", requested.weight_decay.value_or(0)));
  }
  return absl::OkStatus();
}

absl::Status ResolveLbfgs(const TrainSpec& requested, TrainSpec& spec) {
  RETURN_IF_ERROR(RefuseIfSet("spec.epochs", requested.epochs.has_value(), kAdam, spec));
  RETURN_IF_ERROR(RefuseIfSet("spec.patience", requested.patience.has_value(), kAdam, spec));
  RETURN_IF_ERROR(RefuseIfSet("spec.batch_size", requested.batch_size.has_value(), kAdam, spec));
  RETURN_IF_ERROR(RefuseIfSet("spec.learning_rate", requested.learning_rate.has_value(), kAdam, spec));
  RETURN_IF_ERROR(RefuseIfSet("spec.weight_decay", requested.weight_decay.has_value(), kAdam, spec));
  RETURN_IF_ERROR(RefuseIfSet("spec.sweep", !requested.sweep.empty(), kAdam, spec));
  spec.l2 = requested.l2;
  if (!spec.l2 || (*spec.l2 >= kLeastL2 && *spec.l2 <= kMostL2)) return absl::OkStatus();
  return InvalidField("spec.l2", absl::StrCat(*spec.l2, " is out of range: use ", kLeastL2, " to ", kMostL2));
}

// Of a job that trains a head alone, on cached features: there are as many copies as views.
absl::Status ResolveHeadAugment(const TrainSpec& requested, TrainSpec& spec) {
  const absl::StatusOr<std::string> augment = OneOf("spec.augment", requested.augment, AugmentNames());
  if (!augment.ok()) return augment.status();
  if (*augment == kNoAugment) return absl::OkStatus();
  spec.augment = *augment;
  spec.views = requested.views.value_or(kUsualViews);
  if (*spec.views != 1) return absl::OkStatus();
  return InvalidField("spec.views", "1 is the plain photo alone, without augmentation: use 2 or more, or leave it out");
}

absl::Status ResolveViews(const TrainSpec& requested, TrainSpec& spec) {
  if (!requested.views) return absl::OkStatus();
  ASSIGN_OR_RETURN(spec.views, InRange("spec.views", *requested.views, kMaxViews));
  if (*spec.views == 1) {
    spec.views.reset();  // as it is without
    return absl::OkStatus();
  }
  if (spec.augment.empty() || spec.augment == kNoAugment) {
    return InvalidField("spec.views", "are augmented copies of the photos: set spec.augment too, or leave them out");
  }
  if (spec.phases.empty() || spec.phases.front().trainable == "head") return absl::OkStatus();
  return InvalidField("spec.views", "are of a head on cached features, but no phase trains the head alone");
}

absl::Status ResolveHead(const TrainSpec& requested, int article_epochs, TrainSpec& spec) {
  RETURN_IF_ERROR(CheckHasNoPhases(requested));
  RETURN_IF_ERROR(ResolveHeadAugment(requested, spec));
  const auto* const preset = std::find_if(std::begin(kHeadPresets), std::end(kHeadPresets),
                                          [&](const Preset& one) { return spec.preset == one.name; });
  const std::string wanted = requested.solver.empty() ? preset->solver : requested.solver;
  ASSIGN_OR_RETURN(spec.solver, OneOf("spec.solver", wanted, {kAdam, kLbfgs}));
  return spec.solver == kLbfgs ? ResolveLbfgs(requested, spec) : ResolveAdam(requested, article_epochs, spec);
}

}  // namespace

absl::StatusOr<TrainSpec> ResolveSpec(const TrainSpec& requested, const SpecContext& context) {
  RETURN_IF_ERROR(CheckRequired(requested));
  TrainSpec spec;
  spec.dataset = context.dataset_version;
  spec.backbone = requested.backbone;
  spec.init_from = context.init_from;
  ASSIGN_OR_RETURN(spec.preset, ResolvePreset(requested));
  ASSIGN_OR_RETURN(spec.model, ResolveModel(requested, context.dataset));
  ASSIGN_OR_RETURN(spec.device, ResolveDevice(requested.device, context.devices));
  ASSIGN_OR_RETURN(spec.decode, OneOf("spec.decode", requested.decode, {"scaled", "full"}));
  ASSIGN_OR_RETURN(spec.precision, ResolvePrecision(requested.precision, spec.device, context.bf16_devices));
  ASSIGN_OR_RETURN(spec.priority,
                   OneOf("spec.priority", requested.priority, {kNormalPriority, kLowPriority, kHighPriority}));
  ASSIGN_OR_RETURN(spec.max_seconds, ResolveMaxSeconds(requested.max_seconds));
  RETURN_IF_ERROR(HasPhases(requested) ? ResolvePhases(requested, context, spec)
                                       : ResolveHead(requested, context.article_epochs, spec));
  RETURN_IF_ERROR(ResolveViews(requested, spec));
  RETURN_IF_ERROR(ResolveFractions(requested, spec));
  RETURN_IF_ERROR(ResolveFolds(requested, spec));
  spec.seed = requested.seed.value_or(0);
  if (!requested.alias.empty()) RETURN_IF_ERROR(ValidateName("spec.alias", requested.alias));
  spec.alias = requested.alias;
  return spec;
}

int PriorityOf(const TrainSpec& spec) {
  if (spec.priority == kHighPriority) return 1;
  return spec.priority == kLowPriority ? -1 : 0;
}

}  // namespace graft::jobs
