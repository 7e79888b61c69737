// The main job on cuda:0 with a real network: trains, cancels, resumes and classifies.
#include <gmock/gmock.h>

#include <future>
#include <variant>

#include "core/base/errors.h"
#include "core/inference/classifier.h"
#include "server/weights/import_weights.h"
#include "tests/gpu/gpu.h"
#include "tests/testing/training_site.h"

namespace graft::workflow {
namespace {

using ::graft::testing::TrainingSite;
using jobs::State;

bool Never() {
  return false;
}

class GpuWorkflowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_GPU();
    site_.Open(EngineFactory{});
    ASSERT_OK(server::PutRandomWeights(site_.weights_root(), TrainingSite::kBackbone, 1));
    site_.ImportPictures("colours", 20);
    spec_.device = gpu::kDevice;
  }
  jobs::Job Get(const std::string& id) { return site_.jobs().Get(id).value_or(jobs::Job{}); }
  int EpochsDone(const std::string& id) {
    int epochs = 0;
    for (const jobs::Event& event : site_.jobs().Events(id, 0, 10000).value_or(std::vector<jobs::Event>{})) {
      epochs += std::holds_alternative<jobs::EpochDone>(event.body) ? 1 : 0;
    }
    return epochs;
  }
  jobs::Job RunToEnd() {
    const jobs::Claim claim = site_.SubmitAndClaim(spec_);
    EXPECT_OK(RunTrainJob(site_.resources(), claim, Never));
    return Get(claim.lease.job_id);
  }

  TrainingSite site_;
  jobs::TrainSpec spec_ = TrainingSite::Spec("colours");
};

TEST_F(GpuWorkflowTest, TrainsAgainFromTheCacheWithTheSameBytes) {
  const jobs::Job first = RunToEnd();
  ASSERT_EQ(first.state, State::kSucceeded) << (first.failure ? first.failure->message : "");
  const jobs::Job second = RunToEnd();
  ASSERT_EQ(second.state, State::kSucceeded);
  EXPECT_EQ(first.result->images_computed, 60);
  EXPECT_EQ(second.result->images_computed, 0);
  EXPECT_EQ(second.result->weights_sha256, first.result->weights_sha256);
}

TEST_F(GpuWorkflowTest, AnotherAttemptEndsWithTheSameBytes) {
  const jobs::Job undisturbed = RunToEnd();
  ASSERT_EQ(undisturbed.state, State::kSucceeded);
  const jobs::Claim first = site_.SubmitAndClaim(spec_);
  std::optional<jobs::Claim> second;
  const auto steal = [&] {
    if (!second && EpochsDone(first.lease.job_id) == 2) {
      EXPECT_OK(site_.jobs().ReleaseLeases(gpu::kDevice));
      second = site_.Claim(gpu::kDevice);
    }
    return false;
  };
  EXPECT_TRUE(IsLeaseLost(RunTrainJob(site_.resources(), first, steal)));
  ASSERT_TRUE(second.has_value());
  ASSERT_OK(RunTrainJob(site_.resources(), *second, Never));
  const jobs::Job job = Get(first.lease.job_id);
  ASSERT_EQ(job.state, State::kSucceeded);
  EXPECT_EQ(job.result->weights_sha256, undisturbed.result->weights_sha256);
}

TEST_F(GpuWorkflowTest, CancelledJobStops) {
  const jobs::Claim claim = site_.SubmitAndClaim(spec_);
  const auto cancel = [&] {
    if (EpochsDone(claim.lease.job_id) == 0) return false;
    EXPECT_OK(site_.jobs().RequestCancel(claim.lease.job_id));
    return true;
  };
  ASSERT_OK(RunTrainJob(site_.resources(), claim, cancel));
  EXPECT_EQ(Get(claim.lease.job_id).state, State::kCancelled);
}

TEST_F(GpuWorkflowTest, TrainedVersionClassifiesOnTheGpu) {
  ASSERT_EQ(RunToEnd().state, State::kSucceeded);
  const auto classifier = inference::Classifier::Create(
      &site_.registry(), {.weights_root = site_.weights_root(), .device = gpu::kDevice, .threads = 2});
  std::promise<absl::StatusOr<inference::Classification>> answer;
  classifier->Classify({.model = "colours", .image = testing::MakeBmp(16, {200, 40, 40}, 1234), .top_k = 3},
                       [&answer](absl::StatusOr<inference::Classification> result) { answer.set_value(result); });
  ASSERT_OK_AND_ASSIGN(const inference::Classification classification, answer.get_future().get());
  EXPECT_EQ(classification.model_version, "models/colours/versions/1");
  ASSERT_EQ(classification.predictions.size(), 3u);
  float sum = 0;
  for (const inference::Prediction& prediction : classification.predictions) sum += prediction.probability;
  EXPECT_NEAR(sum, 1, 1e-5);
}

}  // namespace
}  // namespace graft::workflow
