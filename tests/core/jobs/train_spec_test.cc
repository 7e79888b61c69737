#include "core/jobs/train_spec.h"

#include <cmath>
#include <limits>

#include "core/base/errors.h"
#include "tests/testing/status_matchers.h"

namespace graft::jobs {
namespace {

using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

const SpecContext& Context() {
  static const auto* const context = new SpecContext{.dataset_version = "datasets/my_animals/versions/2",
                                                     .dataset = "my_animals",
                                                     .article_epochs = 10,
                                                     .devices = {"cpu"}};
  return *context;
}

TrainSpec Minimal() {
  TrainSpec spec;
  spec.dataset = "my_animals";
  spec.backbone = "mobilenet_v2";
  return spec;
}

// The field that the refusal of `spec` names, or "" if it is accepted.
std::string RefusedField(const TrainSpec& spec) {
  const absl::StatusOr<TrainSpec> resolved = ResolveSpec(spec, Context());
  if (resolved.ok()) return "";
  EXPECT_THAT(resolved, StatusIs(absl::StatusCode::kInvalidArgument));
  const auto detail = DetailOf(resolved.status());
  const auto* const field = detail ? std::get_if<FieldDetail>(&*detail) : nullptr;
  return field == nullptr ? "no field" : field->field;
}

TEST(ResolveSpecTest, UnsetFieldsBecomeTheArticles) {
  ASSERT_OK_AND_ASSIGN(const TrainSpec spec, ResolveSpec(Minimal(), Context()));
  EXPECT_EQ(spec, (TrainSpec{.dataset = "datasets/my_animals/versions/2",
                             .backbone = "mobilenet_v2",
                             .model = "my-animals-mobilenet-v2",
                             .preset = "article",
                             .device = "cpu",
                             .decode = "scaled",
                             .precision = "auto",
                             .solver = "adam",
                             .priority = "normal",
                             .epochs = 10,
                             .patience = 3,
                             .batch_size = 32,
                             .learning_rate = 0.001,
                             .weight_decay = 0,
                             .train_fraction = 0.7,
                             .validation_fraction = 0.15,
                             .seed = 0}));
}

TEST(ResolveSpecTest, SetFieldsStay) {
  TrainSpec requested = {.dataset = "my_animals",
                         .backbone = "resnet50_v2",
                         .model = "mine",
                         .preset = "article",
                         .device = "cpu",
                         .alias = "production",
                         .decode = "full",
                         .precision = "f32",
                         .solver = "adam",
                         .priority = "high",
                         .max_seconds = 0.5,
                         .epochs = 1000,
                         .patience = 1,
                         .batch_size = 1024,
                         .learning_rate = 10,
                         .weight_decay = 1,
                         .train_fraction = 0.5,
                         .validation_fraction = 0.25,
                         .seed = 7,
                         .folds = 5,
                         .fold = 2};
  ASSERT_OK_AND_ASSIGN(const TrainSpec spec, ResolveSpec(requested, Context()));
  requested.dataset = "datasets/my_animals/versions/2";
  EXPECT_EQ(spec, requested);
}

TEST(ResolveSpecTest, FastIsSolvedAndHasNothingOfAdams) {
  TrainSpec requested = Minimal();
  requested.preset = "fast";
  ASSERT_OK_AND_ASSIGN(const TrainSpec spec, ResolveSpec(requested, Context()));
  EXPECT_EQ(spec, (TrainSpec{.dataset = "datasets/my_animals/versions/2",
                             .backbone = "mobilenet_v2",
                             .model = "my-animals-mobilenet-v2",
                             .preset = "fast",
                             .device = "cpu",
                             .decode = "scaled",
                             .precision = "auto",
                             .solver = "lbfgs",
                             .priority = "normal",
                             .train_fraction = 0.7,
                             .validation_fraction = 0.15,
                             .seed = 0}));
  requested.l2 = 0.25;
  ASSERT_OK_AND_ASSIGN(const TrainSpec fixed, ResolveSpec(requested, Context()));
  EXPECT_EQ(fixed.l2, 0.25);
}

TEST(ResolveSpecTest, GivenSolverGoesBeforeThePresets) {
  TrainSpec requested = Minimal();
  requested.preset = "fast";
  requested.solver = "adam";
  requested.epochs = 7;
  ASSERT_OK_AND_ASSIGN(const TrainSpec spec, ResolveSpec(requested, Context()));
  EXPECT_EQ(spec.solver, "adam");
  EXPECT_EQ(spec.epochs, 7);
  EXPECT_EQ(spec.batch_size, 32);
}

TEST(ResolveSpecTest, FieldsOfAnotherSolverAreRefused) {
  const auto refused = [](const char* solver, auto change) {
    TrainSpec spec = Minimal();
    spec.solver = solver;
    change(spec);
    return RefusedField(spec);
  };
  EXPECT_EQ(refused("lbfgs", [](TrainSpec& spec) { spec.epochs = 5; }), "spec.epochs");
  EXPECT_EQ(refused("lbfgs", [](TrainSpec& spec) { spec.patience = 5; }), "spec.patience");
  EXPECT_EQ(refused("lbfgs", [](TrainSpec& spec) { spec.batch_size = 5; }), "spec.batch_size");
  EXPECT_EQ(refused("lbfgs", [](TrainSpec& spec) { spec.learning_rate = 0.1; }), "spec.learning_rate");
  EXPECT_EQ(refused("lbfgs", [](TrainSpec& spec) { spec.weight_decay = 0.1; }), "spec.weight_decay");
  EXPECT_EQ(refused("lbfgs", [](TrainSpec& spec) { spec.sweep = {{"learning_rate", {0.1}}}; }), "spec.sweep");
  EXPECT_EQ(refused("adam", [](TrainSpec& spec) { spec.l2 = 0.1; }), "spec.l2");
  for (double bad : {0.0, -1.0, 1e-7, 1001.0, std::numeric_limits<double>::quiet_NaN(), HUGE_VAL}) {
    EXPECT_EQ(refused("lbfgs", [bad](TrainSpec& spec) { spec.l2 = bad; }), "spec.l2") << bad;
  }
}

TEST(ResolveSpecTest, SweptFieldsAreTheJobsToChoose) {
  TrainSpec requested = Minimal();
  requested.sweep = {{"learning_rate", {0.001, 0.01}}};
  ASSERT_OK_AND_ASSIGN(const TrainSpec one, ResolveSpec(requested, Context()));
  EXPECT_EQ(one.sweep, requested.sweep);
  EXPECT_EQ(one.learning_rate, std::nullopt);
  EXPECT_EQ(one.weight_decay, 0);
  EXPECT_EQ(one.epochs, 10);
  requested.sweep.push_back({"weight_decay", std::vector<double>(128, 0.5)});
  ASSERT_OK_AND_ASSIGN(const TrainSpec both, ResolveSpec(requested, Context()));
  EXPECT_EQ(both.weight_decay, std::nullopt);
}

TEST(ResolveSpecTest, ImpossibleSweepsAreRefused) {
  const auto refused = [](std::vector<SweptField> sweep, auto change) {
    TrainSpec spec = Minimal();
    spec.sweep = std::move(sweep);
    change(spec);
    return RefusedField(spec);
  };
  const auto as_it_is = [](TrainSpec&) {};
  EXPECT_EQ(refused({{"epochs", {5}}}, as_it_is), "spec.sweep");
  EXPECT_EQ(refused({{"learning_rate", {}}}, as_it_is), "spec.sweep");
  EXPECT_EQ(refused({{"learning_rate", {0.1}}, {"learning_rate", {0.2}}}, as_it_is), "spec.sweep");
  for (double bad : {0.0, 10.5, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(refused({{"learning_rate", {0.1, bad}}}, as_it_is), "spec.sweep") << bad;
  }
  for (double bad : {-0.1, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(refused({{"weight_decay", {bad}}}, as_it_is), "spec.sweep") << bad;
  }
  const std::vector<double> many(17, 0.5);
  EXPECT_EQ(refused({{"learning_rate", many}, {"weight_decay", many}}, as_it_is), "spec.sweep");
  EXPECT_EQ(refused({{"learning_rate", std::vector<double>(257, 0.5)}}, as_it_is), "spec.sweep");
  EXPECT_EQ(refused({{"learning_rate", {0.1}}}, [](TrainSpec& spec) { spec.learning_rate = 0.1; }),
            "spec.learning_rate");
  EXPECT_EQ(refused({{"weight_decay", {0.1}}}, [](TrainSpec& spec) { spec.weight_decay = 0.1; }), "spec.weight_decay");
}

TEST(ResolveSpecTest, RefusalNamesTheField) {
  const auto refused = [](auto change) {
    TrainSpec spec = Minimal();
    change(spec);
    return RefusedField(spec);
  };
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.dataset = ""; }), "spec.dataset");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.backbone = ""; }), "spec.backbone");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.model = "No Name"; }), "spec.model");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.alias = "a/b"; }), "spec.alias");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.decode = "half"; }), "spec.decode");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.solver = "sgd"; }), "spec.solver");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.precision = "int8"; }), "spec.precision");
  EXPECT_EQ(refused([](TrainSpec& spec) { spec.priority = "urgent"; }), "spec.priority");
  for (double bad : {0.0, -1.0, 30 * 24 * 3600 + 1.0, std::numeric_limits<double>::quiet_NaN(), HUGE_VAL}) {
    EXPECT_EQ(refused([bad](TrainSpec& spec) { spec.max_seconds = bad; }), "spec.max_duration") << bad;
  }
  for (int bad : {0, -1, 1001}) {
    EXPECT_EQ(refused([bad](TrainSpec& spec) { spec.epochs = bad; }), "spec.epochs");
    EXPECT_EQ(refused([bad](TrainSpec& spec) { spec.patience = bad; }), "spec.patience");
  }
  for (int bad : {0, -1, 1025}) {
    EXPECT_EQ(refused([bad](TrainSpec& spec) { spec.batch_size = bad; }), "spec.batch_size");
  }
  for (double bad : {0.0, -0.1, 10.1, std::numeric_limits<double>::quiet_NaN(), HUGE_VAL}) {
    EXPECT_EQ(refused([bad](TrainSpec& spec) { spec.learning_rate = bad; }), "spec.learning_rate") << bad;
  }
  for (double bad : {0.0, -0.1, 1.0, std::numeric_limits<double>::quiet_NaN(), HUGE_VAL}) {
    EXPECT_EQ(refused([bad](TrainSpec& spec) { spec.train_fraction = bad; }), "spec.train_fraction") << bad;
    EXPECT_EQ(refused([bad](TrainSpec& spec) { spec.validation_fraction = bad; }), "spec.validation_fraction") << bad;
  }
}

TEST(ResolveSpecTest, FractionsMustLeaveATestSplit) {
  TrainSpec spec = Minimal();
  spec.train_fraction = 0.75;
  spec.validation_fraction = 0.25;
  EXPECT_EQ(RefusedField(spec), "spec.validation_fraction");
}

TEST(ResolveSpecTest, FoldsAndFoldGoTogether) {
  const auto refused = [](std::optional<int> folds, std::optional<int> fold) {
    TrainSpec spec = Minimal();
    spec.folds = folds;
    spec.fold = fold;
    return RefusedField(spec);
  };
  EXPECT_EQ(refused(std::nullopt, 1), "spec.folds");
  EXPECT_EQ(refused(5, std::nullopt), "spec.fold");
  EXPECT_EQ(refused(1, 1), "spec.folds");
  EXPECT_EQ(refused(101, 1), "spec.folds");
  EXPECT_EQ(refused(5, 0), "spec.fold");
  EXPECT_EQ(refused(5, 6), "spec.fold");
}

TEST(ResolveSpecTest, UnknownPresetSaysWhichExist) {
  TrainSpec spec = Minimal();
  spec.preset = "finest";
  EXPECT_THAT(ResolveSpec(spec, Context()),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("'finest'"), HasSubstr("article, fast"))));
}

TEST(ResolveSpecTest, AutoTakesTheFirstGpuElseTheCpu) {
  SpecContext context = Context();
  context.devices = {"cpu", "cuda:1", "cuda:2"};
  for (const char* device : {"", "auto"}) {
    TrainSpec spec = Minimal();
    spec.device = device;
    ASSERT_OK_AND_ASSIGN(const TrainSpec on_gpu, ResolveSpec(spec, context));
    EXPECT_EQ(on_gpu.device, "cuda:1");
    ASSERT_OK_AND_ASSIGN(const TrainSpec on_cpu, ResolveSpec(spec, Context()));
    EXPECT_EQ(on_cpu.device, "cpu");
  }
}

TEST(ResolveSpecTest, UnknownDeviceNamesTheAvailable) {
  SpecContext context = Context();
  context.devices = {"cpu", "cuda:1"};
  TrainSpec spec = Minimal();
  spec.device = "cuda:0";
  EXPECT_THAT(ResolveSpec(spec, context),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("spec.device"), HasSubstr("cpu, cuda:1"))));
}

TEST(ResolveSpecTest, Bf16NeedsADeviceThatHasIt) {
  SpecContext context = Context();
  context.devices = {"cpu", "cuda:0"};
  context.bf16_devices = {"cuda:0"};
  TrainSpec spec = Minimal();
  spec.precision = "bf16";
  ASSERT_OK_AND_ASSIGN(const TrainSpec on_gpu, ResolveSpec(spec, context));
  EXPECT_EQ(on_gpu.precision, "bf16");
  spec.device = "cpu";
  EXPECT_THAT(ResolveSpec(spec, context),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("spec.precision"), HasSubstr("'cpu' has no bf16"), HasSubstr("f32"))));
}

TEST(ResolveSpecTest, ServerWithoutWorkersSaysSo) {
  SpecContext context = Context();
  context.devices.clear();
  EXPECT_THAT(ResolveSpec(Minimal(), context), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("worker")));
}

TEST(ResolveSpecTest, LongDefaultModelNameIsCutToAName) {
  SpecContext context = Context();
  context.dataset = std::string(62, 'a');
  ASSERT_OK_AND_ASSIGN(const TrainSpec spec, ResolveSpec(Minimal(), context));
  EXPECT_EQ(spec.model, std::string(62, 'a'));
}

}  // namespace
}  // namespace graft::jobs
