#include "core/jobs/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace graft::jobs {
namespace {

using ::testing::Optional;

constexpr int kImages = 100;

class ForecastTest : public ::testing::Test {
 protected:
  ForecastTest() {
    facts_.now = absl::FromUnixSeconds(1'700'000'000);
    facts_.images = [](const std::string& dataset) {
      return dataset == "datasets/a/versions/1" ? std::optional<int>(kImages) : std::nullopt;
    };
    facts_.worker_runs = [this](const std::string& device) { return device != dead_device_; };
  }

  static TrainSpec Spec(const std::string& device = "cpu") {
    return {.dataset = "datasets/a/versions/1",
            .backbone = "mobilenet_v2",
            .preset = "article",
            .device = device,
            .epochs = 10};
  }
  Job& Add(State state, TrainSpec spec = Spec()) {
    Job job{.id = "job" + std::to_string(facts_.unfinished.size()), .state = state, .spec = std::move(spec)};
    return facts_.unfinished.emplace_back(std::move(job));
  }
  // 50 photos (of another data set unless it is given) in 10 s of features, 5 epochs in 5 s, 2 s to evaluate and
  // publish.
  void HasSucceeded(const std::string& dataset = "datasets/b/versions/1", bool from_cache = false) {
    TrainSpec spec = Spec();
    spec.dataset = dataset;
    Result result{
        .epochs_run = 5,
        .images_computed = from_cache ? 0 : 50,
        .images_from_cache = from_cache ? 50 : 0,
        .phase_seconds = {{"prepare", from_cache ? 1.0 : 10.0}, {"train", 5}, {"evaluate", 1.5}, {"publish", 0.5}}};
    facts_.succeeded.push_back({.state = State::kSucceeded, .spec = spec, .result = result});
  }
  Outlook OutlookOf(const Job& job) { return Forecast(facts_).at(job.id); }
  absl::Time In(double seconds) const { return facts_.now + absl::Seconds(seconds); }

  ForecastFacts facts_;
  std::string dead_device_;
};

TEST_F(ForecastTest, SaysHowManyJobsOfTheSameDeviceAreBefore) {
  facts_.unfinished.reserve(9);
  Add(State::kTraining);
  const Job& first = Add(State::kQueued);
  Add(State::kPaused);
  const Job& elsewhere = Add(State::kQueued, Spec("cuda:0"));
  const Job& second = Add(State::kQueued);
  EXPECT_EQ(OutlookOf(facts_.unfinished[0]).waiting_reason, "");
  EXPECT_EQ(OutlookOf(first).waiting_reason, "1 job before it on cpu");
  EXPECT_EQ(OutlookOf(second).waiting_reason, "2 jobs before it on cpu");
  EXPECT_EQ(OutlookOf(elsewhere).waiting_reason, "next on cuda:0");
  EXPECT_EQ(OutlookOf(facts_.unfinished[2]).waiting_reason, "paused");
}

TEST_F(ForecastTest, NothingIsPredictedWhereNothingWasMeasured) {
  facts_.unfinished.reserve(9);
  const Job& running = Add(State::kPreparing);
  const Job& queued = Add(State::kQueued);
  EXPECT_EQ(OutlookOf(running).end, std::nullopt);
  EXPECT_EQ(OutlookOf(queued).start, std::nullopt);

  HasSucceeded();
  facts_.succeeded[0].spec.preset = "best";
  EXPECT_EQ(OutlookOf(running).end, std::nullopt);
  facts_.succeeded[0].spec = Spec("cuda:0");
  EXPECT_EQ(OutlookOf(running).end, std::nullopt);
}

TEST_F(ForecastTest, UnknownDataSetLeavesItsTimesAndThoseBehindItOpen) {
  facts_.unfinished.reserve(9);
  HasSucceeded();
  TrainSpec unknown = Spec();
  unknown.dataset = "datasets/gone/versions/1";
  const Job& first = Add(State::kQueued, unknown);
  const Job& second = Add(State::kQueued);
  EXPECT_THAT(OutlookOf(first).start, Optional(facts_.now));
  EXPECT_EQ(OutlookOf(first).end, std::nullopt);
  EXPECT_EQ(OutlookOf(second).start, std::nullopt);
}

TEST_F(ForecastTest, TimesFollowFromWhatWasMeasuredPerPhotoAndEpoch) {
  facts_.unfinished.reserve(9);
  HasSucceeded();
  const Job& first = Add(State::kQueued);
  const Job& second = Add(State::kQueued);
  // 100 photos at 0.2 s, 10 epochs of 100 photos at 0.02 s, 2 s.
  EXPECT_THAT(OutlookOf(first).start, Optional(facts_.now));
  EXPECT_THAT(OutlookOf(first).end, Optional(In(20 + 20 + 2)));
  EXPECT_THAT(OutlookOf(second).start, Optional(In(42)));
  EXPECT_THAT(OutlookOf(second).end, Optional(In(84)));
}

TEST_F(ForecastTest, KnownPhotosCostWhatReadingTheirFeaturesCosts) {
  HasSucceeded();
  HasSucceeded("datasets/a/versions/1", true);
  EXPECT_THAT(OutlookOf(Add(State::kQueued)).end, Optional(In(2 + 20 + 2)));  // 100 photos at 0.02 s
}

TEST_F(ForecastTest, ViewsOfTheTrainPhotosAreComputedToo) {
  HasSucceeded();
  TrainSpec spec = Spec();
  spec.train_fraction = 0.5;
  spec.augment = "light";
  spec.views = 5;
  EXPECT_THAT(OutlookOf(Add(State::kQueued, spec)).end, Optional(In(60 + 20 + 2)));  // 300 rows at 0.2 s
}

TEST_F(ForecastTest, RunningJobsOwnWordGoesBeforeWhatOthersTook) {
  HasSucceeded();
  Job& job = Add(State::kPreparing);
  job.progress = {.images_done = 10, .images_total = kImages, .seconds_left = 90, .time = In(-30)};
  EXPECT_THAT(OutlookOf(job).end, Optional(In(60 + 20 + 2)));
  job.state = State::kTraining;
  job.progress = {.epoch = 4, .epochs = 10, .seconds_left = 12, .time = In(-2)};
  EXPECT_THAT(OutlookOf(job).end, Optional(In(10 + 2)));
  job.progress.time = In(-60);  // late, but not over
  EXPECT_THAT(OutlookOf(job).end, Optional(In(2)));
  job.progress.seconds_left = 0;  // a new attempt, which has not said anything yet: 6 epochs
  EXPECT_THAT(OutlookOf(job).end, Optional(In(12 + 2)));
}

TEST_F(ForecastTest, JobsThatCountNoEpochsAreComparedWithTheirLike) {
  HasSucceeded();
  TrainSpec spec = Spec();
  spec.epochs.reset();
  Job& job = Add(State::kQueued, spec);
  EXPECT_EQ(OutlookOf(job).end, std::nullopt);
  facts_.succeeded[0].spec.epochs.reset();
  EXPECT_THAT(OutlookOf(job).end, Optional(In(20 + 10 + 2)));  // 50 photos in 5 s
}

TEST_F(ForecastTest, PhasesOnPhotosAreWhatTakesTheTime) {
  TrainSpec spec = Spec();
  spec.preset = "balanced";
  spec.epochs.reset();
  spec.phases = {{.trainable = "head", .epochs = 10}, {.trainable = "blocks:2", .epochs = 5}};
  HasSucceeded();
  facts_.succeeded[0].spec = spec;
  facts_.succeeded[0].spec.dataset = "datasets/b/versions/1";
  facts_.succeeded[0].result->epochs_run = 9;  // 4 of the head, 5 of 50 photos in 5 s
  spec.phases[1].epochs = 20;
  Job& job = Add(State::kQueued, spec);
  EXPECT_THAT(OutlookOf(job).end, Optional(In(20 + 40 + 2)));
  // While the head is trained, its own word is of the head alone.
  job.state = State::kTraining;
  job.progress = {.epoch = 2, .epochs = 30, .seconds_left = 1, .time = In(0)};
  EXPECT_THAT(OutlookOf(job).end, Optional(In(1 + 40 + 2)));
  job.progress = {.epoch = 5, .epochs = 24, .seconds_left = 50, .time = In(0)};  // the first on photos
  EXPECT_THAT(OutlookOf(job).end, Optional(In(50 + 2)));
  job.progress.seconds_left = 0;
  EXPECT_THAT(OutlookOf(job).end, Optional(In(38 + 2)));

  job.spec.phases[1].trainable = "all";
  EXPECT_EQ(OutlookOf(job).end, std::nullopt);
}

TEST_F(ForecastTest, PhasesWithoutAHeadComputeNoFeatures) {
  TrainSpec spec = Spec();
  spec.preset = "custom";
  spec.epochs.reset();
  spec.phases = {{.trainable = "all", .epochs = 10}};
  HasSucceeded("datasets/a/versions/1");
  facts_.succeeded[0].spec = spec;
  facts_.succeeded[0].result->epochs_run = 10;
  facts_.succeeded[0].result->images_computed = 0;
  facts_.succeeded[0].result->phase_seconds = {{"train", 40}, {"evaluate", 3}};
  EXPECT_THAT(OutlookOf(Add(State::kQueued, spec)).end, Optional(In(40 + 3)));
}

TEST_F(ForecastTest, TimeLimitBoundsTheEnd) {
  HasSucceeded();
  TrainSpec spec = Spec();
  spec.max_seconds = 30;
  Job& job = Add(State::kQueued, spec);
  EXPECT_THAT(OutlookOf(job).end, Optional(In(30)));
  job.worked = absl::Seconds(25);
  EXPECT_THAT(OutlookOf(job).end, Optional(In(5)));
}

TEST_F(ForecastTest, WithoutAWorkerNothingRuns) {
  HasSucceeded();
  dead_device_ = "cpu";
  const Outlook outlook = OutlookOf(Add(State::kQueued));
  EXPECT_EQ(outlook.waiting_reason, "no worker for cpu is alive");
  EXPECT_EQ(outlook.start, std::nullopt);
  EXPECT_EQ(outlook.end, std::nullopt);
  EXPECT_EQ(OutlookOf(Add(State::kTraining)).waiting_reason, "no worker for cpu is alive");
}

TEST_F(ForecastTest, JobThatIsAboutToStopHoldsUpNobody) {
  facts_.unfinished.reserve(9);
  HasSucceeded();
  const Job& pausing = Add(State::kPausing);
  const Job& queued = Add(State::kQueued);
  EXPECT_EQ(OutlookOf(pausing).end, std::nullopt);
  EXPECT_THAT(OutlookOf(queued).start, Optional(facts_.now));
}

}  // namespace
}  // namespace graft::jobs
