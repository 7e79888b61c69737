// A small training installation on which jobs run to their end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/workflow/train_workflow.h"
#include "tests/testing/training_site.h"

namespace graft::workflow {

inline constexpr int kPerClass = 10;

inline bool Never() {
  return false;
}

class TrainWorkflowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    site_.Open();
    site_.PutWeights();
    site_.ImportPictures("colours", kPerClass);
  }

  jobs::Job Get(const std::string& id) {
    const auto job = site_.jobs().Get(id);
    EXPECT_OK(job);
    return job.value_or(jobs::Job{});
  }
  std::vector<jobs::Event> Events(const std::string& id) {
    const auto events = site_.jobs().Events(id, 0, 10000);
    EXPECT_OK(events);
    return events.value_or(std::vector<jobs::Event>{});
  }
  std::vector<jobs::State> States(const std::string& id) {
    std::vector<jobs::State> states;
    for (const jobs::StateChanged& change : site_.EventsOf<jobs::StateChanged>(id)) states.push_back(change.state);
    return states;
  }
  static jobs::TrainSpec Solved(jobs::TrainSpec spec) {
    spec.solver = "lbfgs";
    spec.epochs = spec.patience = spec.batch_size = std::nullopt;
    spec.learning_rate = std::nullopt;
    return spec;
  }
  // Six combinations.
  static jobs::TrainSpec Swept(jobs::TrainSpec spec) {
    spec.learning_rate.reset();
    spec.sweep = {{"learning_rate", {0.001, 0.01, 0.1}}, {"weight_decay", {0, 0.5}}};
    return spec;
  }
  // The job after an undisturbed run.
  jobs::Job RunToEnd(const jobs::TrainSpec& spec) {
    const jobs::Claim claim = site_.SubmitAndClaim(spec);
    EXPECT_OK(RunTrainJob(site_.resources(), claim, Never));
    return Get(claim.lease.job_id);
  }
  void ExpectFailure(const jobs::Job& job, jobs::FailureType type, const std::string& message) {
    EXPECT_EQ(job.state, jobs::State::kFailed);
    ASSERT_TRUE(job.failure.has_value());
    EXPECT_EQ(job.failure->type, type);
    EXPECT_THAT(job.failure->message, ::testing::HasSubstr(message));
  }

  testing::TrainingSite site_;
  const jobs::TrainSpec spec_ = testing::TrainingSite::Spec("colours");
};

}  // namespace graft::workflow
