// The precision a version is trained and served in: what the spec asks, what the device has, what was measured.

#include "core/base/errors.h"
#include "core/registry/manifest.h"
#include "core/workflow/train_workflow.h"
#include "tests/testing/training_site.h"

namespace graft::workflow {
namespace {

using graft::testing::FakeEngine;
using ::graft::testing::TrainingSite;
using jobs::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Lt;
using ::testing::Optional;
using ::testing::SizeIs;

constexpr int kPerClass = 40;

class PrecisionWorkflowTest : public ::testing::Test {
 protected:
  void Open(std::optional<FakeEngine::Arithmetic> bf16, bool bf16_is_faster = true) {
    site_.Open(bf16, bf16_is_faster);
    site_.PutWeights();
    site_.ImportPictures("colours", kPerClass);
  }

  static jobs::TrainSpec Spec(const std::string& precision) {
    jobs::TrainSpec spec = TrainingSite::Spec("colours");
    spec.precision = precision;
    return spec;
  }

  jobs::Job Get(const std::string& id) {
    const auto job = site_.jobs().Get(id);
    EXPECT_OK(job);
    return job.value_or(jobs::Job{});
  }
  jobs::Job RunToEnd(const jobs::TrainSpec& spec) {
    const jobs::Claim claim = site_.SubmitAndClaim(spec);
    EXPECT_OK(RunTrainJob(site_.resources(), claim, [] { return false; }));
    return Get(claim.lease.job_id);
  }
  registry::Manifest ManifestOf(const jobs::Job& job) {
    const auto version = site_.registry().Find({.name = "colours"});
    EXPECT_OK(version);
    EXPECT_EQ(version->job_id, job.id);
    const auto manifest = registry::ManifestFromJson(version->manifest);
    EXPECT_OK(manifest);
    return *manifest;
  }
  static jobs::PrecisionReport ReportOf(const jobs::Job& job) {
    EXPECT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
    return job.result.value_or(jobs::Result{}).precision.value_or(jobs::PrecisionReport{});
  }

  TrainingSite site_;
};

TEST_F(PrecisionWorkflowTest, DeviceWithoutBf16ReportsWhatItMeasured) {
  Open(std::nullopt);
  const jobs::Job job = RunToEnd(Spec("auto"));
  EXPECT_EQ(ReportOf(job), (jobs::PrecisionReport{.precision = "f32", .images = 24, .accuracy_f32 = 1}));
  EXPECT_EQ(ManifestOf(job).precision, "f32");
  EXPECT_THAT(site_.EventsOf<jobs::PrecisionChosen>(job.id), SizeIs(0));
}

TEST_F(PrecisionWorkflowTest, AutoTakesBf16WhereThatLosesNothing) {
  Open(FakeEngine::Arithmetic::kRounded);
  const jobs::Job job = RunToEnd(Spec("auto"));
  const jobs::PrecisionReport expected = {
      .precision = "bf16", .images = 24, .accuracy_f32 = 1, .accuracy_bf16 = 1, .agreement = 1};
  EXPECT_EQ(ReportOf(job), expected);
  const auto chosen = site_.EventsOf<jobs::PrecisionChosen>(job.id);
  ASSERT_THAT(chosen, SizeIs(1));
  EXPECT_EQ(chosen[0].report, expected);
  const registry::Manifest manifest = ManifestOf(job);
  EXPECT_EQ(manifest.precision, "bf16");
  EXPECT_EQ(manifest.library_versions.at("engine"), "fake-1/cpu/bf16");
  EXPECT_NE(job.result->weights_sha256, RunToEnd(Spec("f32")).result->weights_sha256);
}

TEST_F(PrecisionWorkflowTest, AutoStaysInF32WhereBf16IsSlower) {
  Open(FakeEngine::Arithmetic::kRounded, /*bf16_is_faster=*/false);
  const jobs::Job job = RunToEnd(Spec("auto"));
  EXPECT_EQ(ReportOf(job), (jobs::PrecisionReport{.precision = "f32", .images = 24, .accuracy_f32 = 1}));
  EXPECT_THAT(site_.EventsOf<jobs::PrecisionChosen>(job.id), SizeIs(0));
  EXPECT_EQ(ManifestOf(job).precision, "f32");

  // Where a precision is asked for, both are measured.
  const jobs::Job f32 = RunToEnd(Spec("f32"));
  EXPECT_EQ(job.result->weights_sha256, f32.result->weights_sha256);
  EXPECT_THAT(ReportOf(f32).accuracy_bf16, Optional(1.0));
  EXPECT_EQ(ReportOf(RunToEnd(Spec("bf16"))).precision, "bf16");
}

TEST_F(PrecisionWorkflowTest, AutoTrainsAgainInF32WhereBf16Loses) {
  Open(FakeEngine::Arithmetic::kMixedUp);
  const jobs::Job job = RunToEnd(Spec("auto"));
  const jobs::PrecisionReport report = ReportOf(job);
  EXPECT_EQ(report.precision, "f32");
  EXPECT_THAT(report.accuracy_f32, Optional(1.0));
  EXPECT_THAT(report.accuracy_bf16, Optional(Lt(0.9)));
  EXPECT_THAT(report.agreement, Optional(Lt(0.9)));
  const registry::Manifest manifest = ManifestOf(job);
  EXPECT_EQ(manifest.precision, "f32");
  EXPECT_EQ(manifest.library_versions.at("engine"), "fake-1/cpu/f32");

  const auto chosen = site_.EventsOf<jobs::PrecisionChosen>(job.id);
  ASSERT_THAT(chosen, SizeIs(1));
  EXPECT_EQ(chosen[0].report.precision, "f32");
  EXPECT_THAT(chosen[0].report.accuracy_bf16, Optional(Lt(*chosen[0].report.accuracy_f32 - 0.005)));
  EXPECT_THAT(site_.EventsOf<jobs::FeaturesReady>(job.id), SizeIs(2));
  // The same as if f32 had been asked for.
  EXPECT_EQ(job.result->weights_sha256, RunToEnd(Spec("f32")).result->weights_sha256);
}

TEST_F(PrecisionWorkflowTest, WhatWasAskedForIsServedWhateverItLoses) {
  Open(FakeEngine::Arithmetic::kMixedUp);
  const jobs::Job bf16 = RunToEnd(Spec("bf16"));
  EXPECT_EQ(ReportOf(bf16).precision, "bf16");
  EXPECT_THAT(ReportOf(bf16).accuracy_bf16, Optional(Lt(0.9)));
  EXPECT_EQ(ManifestOf(bf16).precision, "bf16");
  EXPECT_THAT(site_.EventsOf<jobs::PrecisionChosen>(bf16.id), SizeIs(0));

  const jobs::Job f32 = RunToEnd(Spec("f32"));
  EXPECT_EQ(ReportOf(f32).precision, "f32");
  EXPECT_THAT(ReportOf(f32).accuracy_bf16, Optional(Lt(0.9)));  // measured all the same
  EXPECT_EQ(ManifestOf(f32).precision, "f32");
}

TEST_F(PrecisionWorkflowTest, Bf16OnADeviceWithoutItIsADeviceFailure) {
  Open(std::nullopt);
  const jobs::Job job = RunToEnd(Spec("bf16"));
  EXPECT_EQ(job.state, State::kFailed);
  ASSERT_TRUE(job.failure.has_value());
  EXPECT_EQ(job.failure->type, jobs::FailureType::kDevice);
  EXPECT_THAT(job.failure->message, HasSubstr("'cpu' has no bf16"));
}

// An attempt is taken for dead at some point, and another one claims the job.
class ResumedPrecisionTest : public PrecisionWorkflowTest, public ::testing::WithParamInterface<std::pair<int, int>> {};
INSTANTIATE_TEST_SUITE_P(AfterEpochsAndChoices, ResumedPrecisionTest,
                         ::testing::Values(std::pair{2, 0}, std::pair{4, 0}, std::pair{5, 1}, std::pair{7, 1},
                                           std::pair{10, 1}));

TEST_P(ResumedPrecisionTest, EndsWithTheSameBytesAndTellsEachEpochOnce) {
  Open(FakeEngine::Arithmetic::kMixedUp);
  const jobs::Job undisturbed = RunToEnd(Spec("auto"));
  ASSERT_THAT(site_.EventsOf<jobs::EpochDone>(undisturbed.id), SizeIs(10));  // 5 in either precision

  const jobs::Claim first = site_.SubmitAndClaim(Spec("auto"));
  const std::string id = first.lease.job_id;
  std::optional<jobs::Claim> second;
  const auto steal = [&] {
    const auto [epochs, choices] = GetParam();
    if (!second && site_.EventsOf<jobs::EpochDone>(id).size() == static_cast<size_t>(epochs) &&
        site_.EventsOf<jobs::PrecisionChosen>(id).size() == static_cast<size_t>(choices)) {
      EXPECT_OK(site_.jobs().ReleaseLeases("cpu"));
      second = site_.Claim("cpu");
    }
    return false;
  };
  EXPECT_TRUE(IsLeaseLost(RunTrainJob(site_.resources(), first, steal)));
  ASSERT_TRUE(second.has_value());
  ASSERT_OK(RunTrainJob(site_.resources(), *second, [] { return false; }));

  const jobs::Job job = Get(id);
  EXPECT_EQ(ReportOf(job), ReportOf(undisturbed));
  EXPECT_EQ(job.result->weights_sha256, undisturbed.result->weights_sha256);
  std::vector<int> epochs;
  for (const jobs::EpochDone& epoch : site_.EventsOf<jobs::EpochDone>(id)) epochs.push_back(epoch.epoch);
  EXPECT_THAT(epochs, ElementsAre(1, 2, 3, 4, 5, 1, 2, 3, 4, 5));
  EXPECT_THAT(site_.EventsOf<jobs::PrecisionChosen>(id), SizeIs(1));
  EXPECT_THAT(site_.EventsOf<jobs::FeaturesReady>(id), SizeIs(2));
}

TEST_F(PrecisionWorkflowTest, JobQueuedBeforeThereWasAChoiceStaysInF32) {
  Open(FakeEngine::Arithmetic::kRounded);
  EXPECT_EQ(ReportOf(RunToEnd(Spec(""))).precision, "f32");
}

}  // namespace
}  // namespace graft::workflow
