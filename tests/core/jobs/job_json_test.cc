#include <cmath>

#include "core/jobs/job.h"
#include "tests/testing/status_matchers.h"

namespace graft::jobs {
namespace {

using ::graft::testing::IsOkAndHolds;
using ::graft::testing::StatusIs;
using ::testing::HasSubstr;

Trial SomeTrial() {
  return {.number = 3,
          .l2 = 0.1,
          .learning_rate = 0.01,
          .weight_decay = 0.5,
          .iterations = 34,
          .epochs = 7,
          .train_loss = 0.5,
          .train_accuracy = 0.875,
          .validation_loss = 0.25,
          .validation_accuracy = 1,
          .seconds = 0.125,
          .best = true};
}

Result SomeResult() {
  return {.model_version = "models/m/versions/1",
          .test_loss = 0.1,
          .test_accuracy = 1.0 / 3,
          .epochs_run = 5,
          .phase_seconds = {{"train", 1.5}, {"total", 2}},
          .weights_sha256 = "abc",
          .parameters = int64_t{1} << 40,
          .classes = {{.label = "köt\"er", .precision = 0.5, .recall = 0.25, .images = 3, .f1 = 1.0 / 3}},
          .confusion = {{0, 0, 1}, {1, 0, 2}, {1, 1, 3}},
          .precision = PrecisionReport{.precision = "f32", .images = 9, .accuracy_f32 = 0.75},
          .stop_reason = "time_limit",
          .macro = AverageMetrics{.precision = 0.5, .recall = 0.25, .f1 = 1.0 / 3},
          .weighted = AverageMetrics{.f1 = 0.75, .roc_auc = 0.875},
          .calibration = Calibration{.temperature = 1.25, .test_loss = 0.5, .error_before = 0.1, .error_after = 0.05},
          .intervals = Intervals{.test_accuracy = {0.5, 0.75}, .test_loss = {0.25, 1}, .macro_f1 = {0, 1}},
          .trials = {SomeTrial()},
          .loader_images_per_second = 900.5,
          .engine_images_per_second = 130,
          .discarded_validation_accuracy = 0.5};
}

TEST(JobJsonTest, SpecComesBackWithWhatWasUnsetUnset) {
  const TrainSpec spec = {
      .dataset = "animals:2",
      .decode = "full",
      .solver = "lbfgs",
      .priority = "low",
      .max_seconds = 1.5,
      .epochs = 3,
      .learning_rate = 0.1,
      .weight_decay = 0.125,
      .l2 = 0.5,
      .sweep = {{"learning_rate", {0.001, 0.01}}, {"weight_decay", {0}}},
      .seed = 4294967295u,
      .folds = 5,
      .fold = 1,
      .phases = {{.trainable = "head", .epochs = 2}, {.trainable = "all", .schedule = "cosine", .layer_decay = 0.9}},
      .augment = "light",
      .views = 4,
      .ema_decay = 0.99};
  EXPECT_THAT(TrainSpecFromJson(ToJson(spec)), IsOkAndHolds(spec));
  EXPECT_THAT(TrainSpecFromJson(ToJson(TrainSpec{})), IsOkAndHolds(TrainSpec{}));
}

TEST(JobJsonTest, SpecsAndEventsOlderThanPhasesAreRead) {
  EXPECT_THAT(TrainSpecFromJson(R"({"dataset":"animals:2","epochs":3})"),
              IsOkAndHolds(TrainSpec{.dataset = "animals:2", .epochs = 3}));
  ASSERT_OK_AND_ASSIGN(const EventBody body, EventBodyFromJson(R"({"epoch_done":{"epoch":2}})"));
  EXPECT_EQ(std::get<EpochDone>(body).phase, "");
}

TEST(JobJsonTest, ResultComesBackTheSame) {
  const std::string text = ToJson(SomeResult());
  ASSERT_OK_AND_ASSIGN(const Result result, ResultFromJson(text));
  EXPECT_EQ(ToJson(result), text);
  EXPECT_EQ(result.test_accuracy, 1.0 / 3);
  EXPECT_EQ(result.parameters, int64_t{1} << 40);
  EXPECT_EQ(result.classes.at(0).label, "köt\"er");
  EXPECT_EQ(result.confusion, SomeResult().confusion);
  EXPECT_EQ(result.phase_seconds.at("train"), 1.5);
  EXPECT_EQ(result.precision, SomeResult().precision);
  ASSERT_EQ(result.trials.size(), 1u);
  EXPECT_EQ(result.trials[0].l2, 0.1);
  EXPECT_EQ(result.trials[0].weight_decay, 0.5);
  EXPECT_EQ(result.stop_reason, "time_limit");
}

TEST(JobJsonTest, ResultOlderThanItsFieldsIsRead) {
  ASSERT_OK_AND_ASSIGN(const Result result,
                       ResultFromJson(R"({"test_accuracy":0.5,"confusion":[1,0,2,3],"classes":[{"label":"cat"}]})"));
  EXPECT_EQ(result.confusion, (std::vector<ConfusionCell>{{0, 0, 1}, {1, 0, 2}, {1, 1, 3}}));
  EXPECT_FALSE(result.classes.at(0).f1.has_value());
  EXPECT_FALSE(result.macro.has_value());
  EXPECT_FALSE(result.calibration.has_value());
  EXPECT_FALSE(result.intervals.has_value());
  EXPECT_THAT(ResultFromJson(R"({"confusion":[1,0,2]})"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ResultFromJson(R"({"confusion":[[1,0]]})"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(JobJsonTest, ResultOfAThousandClassesIsSmall) {
  Result wide;
  for (int i = 0; i < 1000; ++i) {
    wide.classes.push_back({.label = "class", .precision = 1.0 / 3, .recall = 1.0 / 3, .f1 = 1.0 / 3, .roc_auc = 0.9});
    for (int k = 0; k < 10; ++k) wide.confusion.push_back({i, (i + k) % 1000, 1});
  }
  EXPECT_LT(ToJson(wide).size(), size_t{512} << 10);
}

TEST(JobJsonTest, EveryKindOfEventComesBack) {
  const Failure failure = {.type = FailureType::kWorker, .message = "no room"};
  const EventBody bodies[] = {
      StateChanged{.state = State::kFailed, .reason = "why", .failure = failure},
      StateChanged{.state = State::kSucceeded, .result = SomeResult()},
      FeatureProgress{.images_done = 3, .images_total = 9, .images_per_second = 1.5, .seconds_left = 4},
      FeaturesReady{.images_computed = 1, .images_from_cache = 2, .seconds = 3, .loader_images_per_second = 4},
      EpochDone{.epoch = 2, .epochs = 10, .train_loss = 0.25, .best = true, .phase = "blocks:2"},
      Message{"hello"},
      MemoryReduced{.reason = "out of memory: no room", .divisor = 4},
      PrecisionChosen{
          {.precision = "bf16", .images = 9, .accuracy_f32 = 1, .accuracy_bf16 = 1.0 / 3, .agreement = 0.5}},
      TrialDone{.trial = SomeTrial(), .trials = 13},
  };
  for (const EventBody& body : bodies) {
    const std::string text = ToJson(body);
    ASSERT_OK_AND_ASSIGN(const EventBody back, EventBodyFromJson(text));
    EXPECT_EQ(back.index(), body.index()) << text;
    EXPECT_EQ(ToJson(back), text);
  }
}

TEST(JobJsonTest, LossThatDivergedSurvives) {
  const EventBody body = EpochDone{.train_loss = NAN, .validation_loss = INFINITY, .learning_rate = -INFINITY};
  ASSERT_OK_AND_ASSIGN(const EventBody back, EventBodyFromJson(ToJson(body)));
  const EpochDone& epoch = std::get<EpochDone>(back);
  EXPECT_TRUE(std::isnan(epoch.train_loss));
  EXPECT_EQ(epoch.validation_loss, INFINITY);
  EXPECT_EQ(epoch.learning_rate, -INFINITY);
}

TEST(JobJsonTest, TextThatIsNotUtf8IsStoredReadably) {
  ASSERT_OK_AND_ASSIGN(const EventBody back, EventBodyFromJson(ToJson(EventBody(Message{"photo \xff.jpg"}))));
  EXPECT_THAT(std::get<Message>(back).text, HasSubstr("photo "));
}

TEST(JobJsonTest, DamagedTextIsDataLoss) {
  for (const char* text : {"", "{", "[]", "7", R"({"epochs":"x"})", R"({"epochs":99999999999})", R"({"seed":-1})"}) {
    EXPECT_THAT(TrainSpecFromJson(text), StatusIs(absl::StatusCode::kDataLoss)) << text;
  }
  for (const char* text : {"{}", R"({"message":{"text":1}})", R"({"other":{}})", R"({"message":{},"x":{}})",
                           R"({"state_changed":{"state":12}})", R"({"state_changed":{"state":0}})"}) {
    EXPECT_THAT(EventBodyFromJson(text), StatusIs(absl::StatusCode::kDataLoss)) << text;
  }
}

}  // namespace
}  // namespace graft::jobs
