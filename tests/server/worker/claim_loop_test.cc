#include "server/worker/claim_loop.h"

#include <memory>
#include <thread>

#include "core/base/thread_pool.h"
#include "core/jobs/change_feed.h"
#include "tests/testing/training_site.h"

namespace graft::worker {
namespace {

using ::graft::testing::TrainingSite;
using jobs::State;

// Told when a job has ended.
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

}  // namespace
}  // namespace graft::worker
