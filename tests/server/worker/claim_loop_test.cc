#include "server/worker/claim_loop.h"

#include <memory>
#include <thread>

#include "absl/time/clock.h"
#include "core/base/thread_pool.h"
#include "core/jobs/change_feed.h"
#include "tests/testing/training_site.h"

namespace graft::worker {
namespace {

using ::graft::testing::TrainingSite;
using jobs::State;

// Told when so many jobs have ended.
class EndOfJobs {
 public:
  explicit EndOfJobs(TrainingSite& site, int jobs)
      : left_(jobs), feed_(jobs::ChangeFeed::Start(site.resources().database, &site.jobs())) {
    subscription_ = feed_->Subscribe([this](const jobs::FeedItem& item) {
      const auto* change = std::get_if<jobs::StateChanged>(&item.event.body);
      if (change != nullptr && jobs::IsTerminal(change->state) && --left_ == 0) ended_.Notify();
    });
  }
  bool WaitFor(absl::Duration patience) { return ended_.WaitForNotificationWithTimeout(patience); }

 private:
  int left_;  // the feed's thread only
  absl::Notification ended_;
  std::unique_ptr<jobs::ChangeFeed> feed_;
  std::unique_ptr<jobs::ChangeFeed::Subscription> subscription_;
};

TEST(ClaimLoopTest, RunsTheJobsOfItsDeviceOneAfterTheOtherUntilStopped) {
  TrainingSite site;
  site.Open();
  site.PutWeights();
  site.ImportPictures("colours", 6);
  EndOfJobs end(site, 2);
  const workflow::Resources resources = site.resources();
  absl::Notification stop;
  std::thread loop = NamedThread("loop", [&] { ClaimLoop(resources, "cpu", "test", &stop).Run(); });

  const jobs::TrainSpec spec = TrainingSite::Spec("colours");
  jobs::TrainSpec on_gpu = spec;
  on_gpu.device = "cuda:0";
  const auto first = site.jobs().Submit(spec, spec, "");
  const auto second = site.jobs().Submit(spec, spec, "");
  const auto elsewhere = site.jobs().Submit(on_gpu, on_gpu, "");
  EXPECT_TRUE(end.WaitFor(absl::Seconds(60)));
  stop.Notify();
  loop.join();

  ASSERT_OK(first);
  ASSERT_OK(second);
  ASSERT_OK(elsewhere);
  ASSERT_OK_AND_ASSIGN(const jobs::Job first_job, site.jobs().Get(first->id));
  ASSERT_OK_AND_ASSIGN(const jobs::Job second_job, site.jobs().Get(second->id));
  ASSERT_OK_AND_ASSIGN(const jobs::Job other_job, site.jobs().Get(elsewhere->id));
  EXPECT_EQ(first_job.state, State::kSucceeded);
  EXPECT_EQ(second_job.state, State::kSucceeded);
  EXPECT_GE(second_job.start_time, first_job.end_time);
  EXPECT_EQ(other_job.state, State::kQueued);
}

TEST(ClaimLoopTest, PausedJobFreesItsDeviceAndAStoppedLoopGivesItsJobBack) {
  TrainingSite site;
  site.Open();
  site.PutWeights();
  site.ImportPictures("colours", 6);
  EndOfJobs end(site, 1);
  const workflow::Resources resources = site.resources();
  jobs::TrainSpec endless = TrainingSite::Spec("colours");
  endless.epochs = endless.patience = 1000;
  const auto long_job = site.jobs().Submit(endless, endless, "");
  ASSERT_OK(long_job);
  const auto long_job_is = [&](State state) {
    const auto job = site.jobs().Get(long_job->id);
    return job.ok() && job->state == state;
  };
  const auto wait_until_long_job_is = [&](State state) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (!long_job_is(state) && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
    ASSERT_TRUE(long_job_is(state)) << jobs::NameOf(state);
  };
  absl::Notification stop;
  std::thread loop = NamedThread("loop", [&] { ClaimLoop(resources, "cpu", "test", &stop).Run(); });
  wait_until_long_job_is(State::kTraining);
  EXPECT_OK(site.jobs().RequestPause(long_job->id));
  const auto short_job = site.jobs().Submit(TrainingSite::Spec("colours"), TrainingSite::Spec("colours"), "");
  EXPECT_OK(short_job);
  EXPECT_TRUE(end.WaitFor(absl::Seconds(60)));
  EXPECT_TRUE(long_job_is(State::kPaused));

  EXPECT_OK(site.jobs().RequestResume(long_job->id));
  wait_until_long_job_is(State::kTraining);
  stop.Notify();
  loop.join();
  EXPECT_TRUE(long_job_is(State::kTraining));
  EXPECT_EQ(site.Claim("cpu").job.id, long_job->id);  // at once, without the lease's end
}

}  // namespace
}  // namespace graft::worker
