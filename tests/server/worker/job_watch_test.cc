#include "server/worker/job_watch.h"

#include "absl/time/clock.h"
#include "tests/testing/training_site.h"

namespace graft::worker {
namespace {

using ::graft::testing::TrainingSite;

constexpr JobWatchIntervals kLookOften{.heartbeat = absl::Milliseconds(20), .look = absl::Milliseconds(5)};
// Cancelling is promised within two seconds; a test that fails waits this long.
constexpr absl::Duration kPatience = absl::Seconds(10);

bool StopsWithin(const JobWatch& watch, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (!watch.must_stop() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
  return watch.must_stop();
}

class JobWatchTest : public ::testing::Test {
 protected:
  void SetUp() override { site_.Open(); }
  TrainingSite site_;
};

TEST_F(JobWatchTest, SeesThatCancellingWasRequested) {
  const jobs::Claim claim = site_.SubmitAndClaim(TrainingSite::Spec("colours"));
  const JobWatch watch(&site_.jobs(), claim.lease, kLookOften);
  EXPECT_FALSE(watch.must_stop());
  ASSERT_OK(site_.jobs().RequestCancel(claim.lease.job_id));
  EXPECT_TRUE(StopsWithin(watch, kPatience));
}

TEST_F(JobWatchTest, SeesThatPausingWasRequested) {
  const jobs::Claim claim = site_.SubmitAndClaim(TrainingSite::Spec("colours"));
  const JobWatch watch(&site_.jobs(), claim.lease, kLookOften);
  ASSERT_OK(site_.jobs().RequestPause(claim.lease.job_id));
  EXPECT_TRUE(StopsWithin(watch, kPatience));
}

TEST_F(JobWatchTest, SeesThatTheBestIsToBeKeptWithoutStopping) {
  const jobs::Claim claim = site_.SubmitAndClaim(TrainingSite::Spec("colours"));
  const JobWatch watch(&site_.jobs(), claim.lease, kLookOften);
  ASSERT_OK(site_.jobs().Append(claim.lease, {jobs::EpochDone{.epoch = 1, .epochs = 5}}));
  ASSERT_OK(site_.jobs().RequestFinish(claim.lease.job_id));
  const absl::Time deadline = absl::Now() + kPatience;
  while (!watch.must_finish() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_TRUE(watch.must_finish());
  EXPECT_FALSE(watch.must_stop());
}

TEST_F(JobWatchTest, SeesThatAnotherAttemptHasTheJob) {
  const jobs::Claim claim = site_.SubmitAndClaim(TrainingSite::Spec("colours"));
  const JobWatch watch(&site_.jobs(), claim.lease, kLookOften);
  ASSERT_OK(site_.jobs().ReleaseLeases("cpu"));
  EXPECT_EQ(site_.Claim("cpu").lease.attempt, 2);
  EXPECT_TRUE(StopsWithin(watch, kPatience));
}

}  // namespace
}  // namespace graft::worker
