#include "core/jobs/fine_tune_spec.h"

#include <cmath>
#include <limits>

#include "core/base/errors.h"
#include "tests/testing/status_matchers.h"

namespace graft::jobs {
namespace {

using ::graft::testing::IsOkAndHolds;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const SpecContext& Context() {
  static const auto* const context = new SpecContext{.dataset_version = "datasets/animals/versions/2",
                                                     .dataset = "animals",
                                                     .article_epochs = 10,
                                                     .backbone_blocks = 17,
                                                     .devices = {"cpu"}};
  return *context;
}

TrainSpec WithPreset(const std::string& preset) {
  TrainSpec spec;
  spec.dataset = "animals";
  spec.backbone = "mobilenet_v2";
  spec.preset = preset;
  return spec;
}

TrainSpec WithPhases(std::vector<Phase> phases) {
  TrainSpec spec = WithPreset("");
  spec.phases = std::move(phases);
  return spec;
}

// The field that the refusal names, or "" if the spec is accepted.
std::string RefusedField(const TrainSpec& spec) {
  const absl::StatusOr<TrainSpec> resolved = ResolveSpec(spec, Context());
  if (resolved.ok()) return "";
  EXPECT_THAT(resolved, StatusIs(kInvalid));
  const auto detail = DetailOf(resolved.status());
  const auto* const field = detail ? std::get_if<FieldDetail>(&*detail) : nullptr;
  return field == nullptr ? "no field" : field->field;
}

// Of a second phase.
template <typename Change>
std::string RefusedPhase(Change change) {
  Phase phase = {.trainable = "all"};
  change(phase);
  return RefusedField(WithPhases({{.trainable = "head"}, phase}));
}

void ExpectAllIsSet(const Phase& phase) {
  if (phase.optimizer == "lbfgs") {
    EXPECT_EQ(phase, (Phase{.trainable = "head", .optimizer = "lbfgs"}));
    return;
  }
  EXPECT_FALSE(phase.trainable.empty() || phase.optimizer.empty() || phase.schedule.empty());
  EXPECT_TRUE(phase.epochs && phase.patience && phase.batch_size && phase.learning_rate);
  const bool on_photos = phase.trainable != "head";
  EXPECT_EQ(phase.batch_norm.empty(), !on_photos);
  EXPECT_EQ(phase.accumulation && phase.layer_decay && phase.weight_decay && phase.clip_norm && phase.warmup_epochs,
            on_photos);
}

TEST(FineTuneSpecTest, PresetsAreAHeadOnCachedFeaturesAndThenTheBackbone) {
  for (const char* preset : {"balanced", "best"}) {
    ASSERT_OK_AND_ASSIGN(const TrainSpec spec, ResolveSpec(WithPreset(preset), Context()));
    EXPECT_EQ(spec.preset, preset);
    ASSERT_EQ(spec.phases.size(), 2);
    EXPECT_EQ(spec.phases[0].trainable, "head");
    EXPECT_NE(spec.phases[1].trainable, "head");
    for (const Phase& phase : spec.phases) ExpectAllIsSet(phase);
    EXPECT_FALSE(spec.augment.empty() || spec.class_weights.empty());
    EXPECT_TRUE(spec.label_smoothing && spec.focal_gamma && spec.mixup_alpha && spec.cutmix_alpha && spec.ema_decay);
    EXPECT_FALSE(spec.epochs || spec.patience || spec.batch_size || spec.learning_rate);
    EXPECT_TRUE(spec.seed && spec.train_fraction);
    EXPECT_TRUE(SolvesHead(spec));
    EXPECT_EQ(TotalEpochs(spec), *spec.phases[1].epochs);
  }
}

TEST(FineTuneSpecTest, ResolvedSpecResolvesToItself) {
  TrainSpec spec = WithPreset("best");
  spec.epochs = 7;
  spec.augment = "strong";
  ASSERT_OK_AND_ASSIGN(TrainSpec resolved, ResolveSpec(spec, Context()));
  resolved.preset = "custom";
  EXPECT_THAT(ResolveSpec(resolved, Context()), IsOkAndHolds(resolved));
}

TEST(FineTuneSpecTest, SingleFieldsChangeTheLastPhase) {
  TrainSpec spec = WithPreset("balanced");
  spec.epochs = 1;
  spec.patience = 4;
  spec.batch_size = 8;
  spec.learning_rate = 0.5;
  spec.trainable = "blocks:3";
  spec.augment = "none";
  spec.class_weights = "effective";
  spec.label_smoothing = 0;
  ASSERT_OK_AND_ASSIGN(const TrainSpec resolved, ResolveSpec(spec, Context()));
  const Phase& last = resolved.phases.back();
  EXPECT_EQ(last.epochs, 1);
  EXPECT_EQ(last.patience, 4);
  EXPECT_EQ(last.batch_size, 8);
  EXPECT_EQ(last.learning_rate, 0.5);
  EXPECT_EQ(last.trainable, "blocks:3");
  EXPECT_LE(*last.warmup_epochs, 1);
  EXPECT_EQ(resolved.phases[0].optimizer, "lbfgs");
  EXPECT_EQ(resolved.augment, "none");
  EXPECT_EQ(resolved.class_weights, "effective");
  EXPECT_EQ(resolved.label_smoothing, 0);
}

TEST(FineTuneSpecTest, RefusedSingleFieldsAreNamedAsGiven) {
  const auto refused = [](auto change) {
    TrainSpec spec = WithPreset("best");
    change(spec);
    return RefusedField(spec);
  };
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.epochs = 0; }), "spec.epochs");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.patience = -1; }), "spec.patience");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.batch_size = 1025; }), "spec.batch_size");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.learning_rate = kNan; }), "spec.learning_rate");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.trainable = "head"; }), "spec.trainable");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.trainable = "blocks:18"; }), "spec.trainable");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.augment = "wild"; }), "spec.augment");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.class_weights = "some"; }), "spec.class_weights");
  for (double bad : {-0.1, 0.91, kNan}) {
    EXPECT_EQ(refused([bad](TrainSpec& spec) { spec.label_smoothing = bad; }), "spec.label_smoothing");
  }
  for (double bad : {-0.1, 10.1, kNan, HUGE_VAL}) {
    EXPECT_EQ(refused([bad](TrainSpec& spec) { spec.focal_gamma = bad; }), "spec.focal_gamma");
    EXPECT_EQ(refused([bad](TrainSpec& spec) { spec.mixup_alpha = bad; }), "spec.mixup_alpha");
    EXPECT_EQ(refused([bad](TrainSpec& spec) { spec.cutmix_alpha = bad; }), "spec.cutmix_alpha");
  }
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.ema_decay = 1; }), "spec.ema_decay");
}

TEST(FineTuneSpecTest, PhasesOfOnesOwnTakeDefaultsAndNothingElse) {
  ASSERT_OK_AND_ASSIGN(const TrainSpec spec,
                       ResolveSpec(WithPhases({{.trainable = "head"}, {.trainable = "blocks:17"}}), Context()));
  EXPECT_EQ(spec.preset, "custom");
  for (const Phase& phase : spec.phases) ExpectAllIsSet(phase);
  EXPECT_EQ(spec.phases[1].optimizer, "adamw");
  EXPECT_EQ(spec.phases[1].batch_norm, "frozen");
  EXPECT_EQ(spec.augment, "none");
  EXPECT_EQ(spec.ema_decay, 0);
}

TEST(FineTuneSpecTest, RefusedPhaseFieldsAreNamedWithTheirPlaceAndRange) {
  EXPECT_THAT(ResolveSpec(WithPhases({{.trainable = "head"}, {.trainable = "all", .learning_rate = 11}}), Context()),
              StatusIs(kInvalid, AllOf(HasSubstr("spec.phases[1].learning_rate"), HasSubstr("at most 10"))));
  EXPECT_THAT(ResolveSpec(WithPhases({{.trainable = "blocks:18"}}), Context()),
              StatusIs(kInvalid, AllOf(HasSubstr("spec.phases[0].trainable"), HasSubstr("has 17 blocks"))));
  for (const char* bad : {"", "tail", "blocks:", "blocks:0", "blocks:-1", "blocks:1x", "blocks:01", "blocks: 1"}) {
    EXPECT_EQ(RefusedPhase([bad](Phase& phase) { phase.trainable = bad; }), "spec.phases[1].trainable") << bad;
  }
  EXPECT_EQ(RefusedPhase([](Phase& phase) { phase.optimizer = "lion"; }), "spec.phases[1].optimizer");
  EXPECT_EQ(RefusedPhase([](Phase& phase) { phase.schedule = "sine"; }), "spec.phases[1].schedule");
  EXPECT_EQ(RefusedPhase([](Phase& phase) { phase.batch_norm = "on"; }), "spec.phases[1].batch_norm");
  for (int bad : {0, 1001}) {
    EXPECT_EQ(RefusedPhase([bad](Phase& phase) { phase.epochs = bad; }), "spec.phases[1].epochs");
  }
  EXPECT_EQ(RefusedPhase([](Phase& phase) { phase.patience = -1; }), "spec.phases[1].patience");
  EXPECT_EQ(RefusedPhase([](Phase& phase) { phase.batch_size = 0; }), "spec.phases[1].batch_size");
  EXPECT_EQ(RefusedPhase([](Phase& phase) { phase.accumulation = 33; }), "spec.phases[1].accumulation");
  for (double bad : {0.0, -1.0, 10.5, kNan, HUGE_VAL}) {
    EXPECT_EQ(RefusedPhase([bad](Phase& phase) { phase.learning_rate = bad; }), "spec.phases[1].learning_rate");
  }
  for (double bad : {0.0, 1.1, kNan}) {
    EXPECT_EQ(RefusedPhase([bad](Phase& phase) { phase.layer_decay = bad; }), "spec.phases[1].layer_decay");
  }
  for (double bad : {-0.1, 1.1, kNan}) {
    EXPECT_EQ(RefusedPhase([bad](Phase& phase) { phase.weight_decay = bad; }), "spec.phases[1].weight_decay");
  }
  EXPECT_EQ(RefusedPhase([](Phase& phase) { phase.clip_norm = 1001; }), "spec.phases[1].clip_norm");
  EXPECT_EQ(RefusedPhase([](Phase& phase) { phase.warmup_epochs = 11; }), "spec.phases[1].warmup_epochs");
}

TEST(FineTuneSpecTest, WhatDoesNotGoTogetherIsRefused) {
  EXPECT_EQ(RefusedPhase([](Phase& phase) {
              phase.optimizer = "adam";
              phase.weight_decay = 0.1;
            }),
            "spec.phases[1].weight_decay");
  EXPECT_EQ(RefusedPhase([](Phase& phase) {
              phase.schedule = "one_cycle";
              phase.warmup_epochs = 1;
            }),
            "spec.phases[1].warmup_epochs");
  EXPECT_EQ(RefusedPhase([](Phase& phase) { phase.trainable = "head"; }), "spec.phases[1].trainable");
  EXPECT_EQ(RefusedField(WithPhases({{.trainable = "head", .optimizer = "sgd"}})), "spec.phases[0].optimizer");
  EXPECT_EQ(RefusedField(WithPhases({{.trainable = "head", .layer_decay = 0.5}})), "spec.phases[0].layer_decay");
  EXPECT_EQ(RefusedField(WithPhases({{.trainable = "all", .optimizer = "lbfgs"}})), "spec.phases[0].optimizer");
  EXPECT_EQ(RefusedField(WithPhases({{.trainable = "head", .optimizer = "lbfgs", .epochs = 3}})),
            "spec.phases[0].epochs");
  EXPECT_EQ(RefusedField(WithPhases({{.trainable = "head", .optimizer = "lbfgs", .learning_rate = 0.1}})),
            "spec.phases[0].learning_rate");
  EXPECT_EQ(RefusedField(WithPhases(std::vector<Phase>(11, {.trainable = "all", .epochs = 1}))), "spec.phases");
  EXPECT_EQ(RefusedField(WithPhases(std::vector<Phase>(2, {.trainable = "all", .epochs = 501}))), "spec.phases");
  EXPECT_EQ(RefusedField(WithPreset("custom")), "spec.phases");

  TrainSpec solved = WithPreset("best");
  solved.solver = "lbfgs";
  EXPECT_EQ(RefusedField(solved), "spec.solver");

  TrainSpec swept = WithPreset("best");
  swept.sweep = {{"learning_rate", {0.1}}};
  EXPECT_EQ(RefusedField(swept), "spec.sweep");

  TrainSpec both = WithPhases({{.trainable = "all"}});
  both.preset = "best";
  EXPECT_EQ(RefusedField(both), "spec.preset");
  both.preset = "custom";
  both.epochs = 3;
  EXPECT_EQ(RefusedField(both), "spec.epochs");
  both.epochs.reset();
  both.weight_decay = 0.1;
  EXPECT_EQ(RefusedField(both), "spec.weight_decay");
}

TEST(FineTuneSpecTest, WeightDecayIsOfTheLastPhase) {
  TrainSpec spec = WithPreset("best");
  spec.weight_decay = 0.25;
  ASSERT_OK_AND_ASSIGN(const TrainSpec resolved, ResolveSpec(spec, Context()));
  EXPECT_EQ(resolved.phases.back().weight_decay, 0.25);
  EXPECT_EQ(resolved.weight_decay, std::nullopt);
  spec.preset = "balanced";  // whose optimizer is adam
  EXPECT_EQ(RefusedField(spec), "spec.weight_decay");
}

TEST(FineTuneSpecTest, DistillationNeedsATeacher) {
  TrainSpec spec = WithPreset("best");
  spec.distillation_weight = 0.7;
  EXPECT_EQ(RefusedField(spec), "spec.distillation_weight");
  spec.distillation_weight.reset();
  spec.distillation_temperature = 3;
  EXPECT_EQ(RefusedField(spec), "spec.distillation_temperature");

  SpecContext context = Context();
  context.teacher = "models/large/versions/1";
  ASSERT_OK_AND_ASSIGN(const TrainSpec resolved, ResolveSpec(spec, context));
  EXPECT_EQ(resolved.teacher, "models/large/versions/1");
  EXPECT_EQ(resolved.distillation_weight, 0.5);
  EXPECT_EQ(resolved.distillation_temperature, 3);
  spec.distillation_temperature = 0.01;
  EXPECT_THAT(ResolveSpec(spec, context), StatusIs(kInvalid, HasSubstr("spec.distillation_temperature")));
}

TEST(FineTuneSpecTest, AHeadAloneIsAugmentedByViews) {
  for (const char* preset : {"article", "fast"}) {
    TrainSpec requested = WithPreset(preset);
    ASSERT_OK_AND_ASSIGN(const TrainSpec plain, ResolveSpec(requested, Context()));
    EXPECT_EQ(plain.views, std::nullopt);
    requested.augment = "light";
    ASSERT_OK_AND_ASSIGN(const TrainSpec usual, ResolveSpec(requested, Context()));
    EXPECT_EQ(usual.augment, "light");
    EXPECT_EQ(usual.views, 4);
    requested.views = 32;
    ASSERT_OK_AND_ASSIGN(const TrainSpec most, ResolveSpec(requested, Context()));
    EXPECT_EQ(most.views, 32);
    for (const int bad : {-1, 0, 1, 33}) {
      requested.views = bad;
      EXPECT_EQ(RefusedField(requested), "spec.views") << bad;
    }
    requested.augment = "none";
    requested.views = 4;
    EXPECT_EQ(RefusedField(requested), "spec.views");
    requested.augment = "wild";
    EXPECT_EQ(RefusedField(requested), "spec.augment");
  }
}

TEST(FineTuneSpecTest, APhaseOfTheHeadMayHaveViews) {
  TrainSpec requested = WithPreset("balanced");
  ASSERT_OK_AND_ASSIGN(const TrainSpec plain, ResolveSpec(requested, Context()));
  EXPECT_EQ(plain.views, std::nullopt);
  requested.views = 8;
  ASSERT_OK_AND_ASSIGN(const TrainSpec spec, ResolveSpec(requested, Context()));
  EXPECT_EQ(spec.views, 8);
  requested.preset = "";
  requested.augment = "light";
  requested.phases = {{.trainable = "all"}};
  EXPECT_EQ(RefusedField(requested), "spec.views");
}

TEST(FineTuneSpecTest, ArticleHasNoUseForWhatTrainsTheBackbone) {
  const auto refused = [](auto change) {
    TrainSpec spec = WithPreset("article");
    change(spec);
    return RefusedField(spec);
  };
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.trainable = "all"; }), "spec.trainable");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.class_weights = "balanced"; }), "spec.class_weights");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.label_smoothing = 0.1; }), "spec.label_smoothing");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.focal_gamma = 2; }), "spec.focal_gamma");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.mixup_alpha = 0.2; }), "spec.mixup_alpha");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.cutmix_alpha = 1; }), "spec.cutmix_alpha");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.ema_decay = 0.9; }), "spec.ema_decay");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.trainable = "head"; }), "");
}

TEST(CheckStepsTest, HoldsExactly) {
  TrainSpec head;
  head.epochs = 10;
  head.batch_size = 1;
  EXPECT_OK(CheckSteps(head, kMaxSteps / 10 - 1));
  EXPECT_OK(CheckSteps(head, kMaxSteps / 10));
  EXPECT_THAT(CheckSteps(head, kMaxSteps / 10 + 1), StatusIs(kInvalid, HasSubstr("spec.batch_size")));
  // Phases count together, each with its own batches; the last one of an epoch may be smaller.
  TrainSpec phases;
  phases.phases = {{.epochs = 1, .batch_size = 10}, {.epochs = 3, .batch_size = 10}};
  EXPECT_OK(CheckSteps(phases, kMaxSteps / 4 * 10));
  EXPECT_THAT(CheckSteps(phases, kMaxSteps / 4 * 10 + 1), StatusIs(kInvalid, HasSubstr("10000004 steps")));
}

}  // namespace
}  // namespace graft::jobs
