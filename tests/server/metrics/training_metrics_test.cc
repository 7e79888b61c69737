#include "server/metrics/training_metrics.h"

#include "tests/server/metrics/metrics_text.h"

namespace graft::metrics {
namespace {

using ::graft::testing::Text;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TrainingMetricsTest : public ::testing::Test {
 protected:
  void Begin(int attempt, bool after_death = false) {
    jobs::Claim claim;
    claim.job.spec.backbone = "mobilenet_v2";
    claim.job.create_time = absl::UnixEpoch();
    claim.job.start_time = absl::UnixEpoch() + absl::Seconds(2);
    claim.lease.attempt = attempt;
    claim.after_death = after_death;
    metrics_.Began(claim);
  }
  std::string Counted() const { return Text(registry_); }

  prometheus::Registry registry_;
  TrainingMetrics metrics_{registry_};
};

TEST_F(TrainingMetricsTest, SeriesOfTheRunningJobEndWithIt) {
  EXPECT_THAT(Text(metrics_), HasSubstr("graft_worker_busy 0\n"));
  Begin(1);
  metrics_.Appended(jobs::FeatureProgress{.images_per_second = 80});
  metrics_.Appended(jobs::EpochDone{.train_loss = 0.5,
                                    .train_accuracy = 0.75,
                                    .validation_loss = 0.25,
                                    .validation_accuracy = 0.875,
                                    .seconds = 3,
                                    .images_per_second = 40,
                                    .phase = "blocks:3"});
  metrics_.WaitedForPhotos(0.125);
  EXPECT_THAT(Text(metrics_),
              AllOf(HasSubstr("graft_worker_busy 1\n"),
                    HasSubstr("graft_training_loss{backbone=\"mobilenet_v2\",split=\"train\"} 0.5\n"),
                    HasSubstr("graft_training_loss{backbone=\"mobilenet_v2\",split=\"validation\"} 0.25\n"),
                    HasSubstr("graft_training_accuracy{backbone=\"mobilenet_v2\",split=\"validation\"} 0.875\n"),
                    HasSubstr("graft_training_images_per_second{backbone=\"mobilenet_v2\",phase=\"features\"} 80\n"),
                    HasSubstr("graft_training_images_per_second{backbone=\"mobilenet_v2\",phase=\"blocks\"} 40\n"),
                    HasSubstr("graft_training_data_stall_ratio{backbone=\"mobilenet_v2\"} 0.125\n")));
  EXPECT_THAT(Counted(), HasSubstr("graft_training_epoch_seconds_sum{phase=\"blocks\"} 3\n"));

  jobs::Job job;
  job.state = jobs::State::kSucceeded;
  job.result = jobs::Result{.phase_seconds = {{"train", 7}, {"total", 9}}};
  metrics_.Ended(job);
  EXPECT_THAT(Text(metrics_), AllOf(HasSubstr("graft_worker_busy 0\n"), Not(HasSubstr("mobilenet_v2"))));
  EXPECT_THAT(Counted(), AllOf(HasSubstr("graft_job_phase_seconds_sum{phase=\"train\"} 7\n"),
                               HasSubstr("graft_job_phase_seconds_sum{phase=\"total\"} 9\n"),
                               HasSubstr("graft_training_epoch_seconds_sum{phase=\"blocks\"} 3\n")));
}

TEST_F(TrainingMetricsTest, TrialsOfASolverShowLossAndAccuracyToo) {
  Begin(1);
  metrics_.Appended(jobs::TrialDone{.trial = {.validation_loss = 0.5, .validation_accuracy = 0.75}});
  EXPECT_THAT(Text(metrics_), HasSubstr("graft_training_loss{backbone=\"mobilenet_v2\",split=\"validation\"} 0.5\n"));
}

TEST_F(TrainingMetricsTest, OnlyTheFirstAttemptHasWaitedInTheQueue) {
  Begin(1);
  metrics_.LostLease();
  Begin(2, /*after_death=*/true);
  metrics_.Appended(jobs::MemoryReduced{.divisor = 2});
  metrics_.Ended(jobs::Job());
  Begin(3);
  EXPECT_THAT(Counted(),
              AllOf(HasSubstr("graft_job_queue_wait_seconds_count 1\n"),
                    HasSubstr("graft_job_queue_wait_seconds_sum 2\n"), HasSubstr("graft_job_leases_lost_total 1\n"),
                    HasSubstr("graft_job_restarts_total{class=\"worker_died\"} 1\n"),
                    HasSubstr("graft_job_restarts_total{class=\"out_of_memory\"} 1\n"),
                    HasSubstr("graft_job_restarts_total{class=\"resumed\"} 1\n")));
}

TEST_F(TrainingMetricsTest, PhotosAreCountedByWhetherTheCacheHadThem) {
  metrics_.FeaturesAtHand(/*computed=*/30, /*from_cache=*/12);
  metrics_.FeaturesAtHand(/*computed=*/0, /*from_cache=*/42);
  metrics_.CheckpointWritten(absl::Milliseconds(2));
  EXPECT_THAT(Counted(), AllOf(HasSubstr("graft_feature_cache_photos_total{result=\"miss\"} 30\n"),
                               HasSubstr("graft_feature_cache_photos_total{result=\"hit\"} 54\n"),
                               HasSubstr("graft_training_checkpoint_seconds_bucket{le=\"0.0025\"} 1\n")));
}

}  // namespace
}  // namespace graft::metrics
