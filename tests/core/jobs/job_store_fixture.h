// A job store on a fresh database with a clock that the test moves.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/jobs/job_store.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::jobs {

// Of what ClaimNext returns.
MATCHER(FindsNoJob, "is OK and holds no claim") {
  *result_listener << testing::StatusOf(arg);
  return arg.ok() && !arg->has_value();
}

// As a resolved spec; the requested one may be the same.
inline TrainSpec SpecFor(const std::string& device) {
  return {.dataset = "datasets/animals/versions/1",
          .backbone = "mobilenet_v2",
          .model = "animals",
          .preset = "article",
          .device = device,
          .epochs = 10,
          .learning_rate = 0.001};
}

class JobStoreFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(path_));
    jobs_ = std::make_unique<JobStore>(database_.get(), Options());
  }

  virtual JobStoreOptions Options() {
    return {.lease = absl::Seconds(30), .now = [this] { return now_; }};
  }

  // Of a job for "cpu".
  std::string MustSubmit(const std::string& priority = "normal") {
    TrainSpec spec = SpecFor("cpu");
    spec.priority = priority;
    const absl::StatusOr<Job> job = jobs_->Submit(spec, spec, "");
    EXPECT_OK(job);
    return job.ok() ? job->id : "";
  }
  Lease MustClaim() {
    const absl::StatusOr<std::optional<Claim>> claim = jobs_->ClaimNext("cpu", "worker");
    EXPECT_OK(claim);
    EXPECT_TRUE(claim.ok() && claim->has_value());
    return claim.ok() && claim->has_value() ? (*claim)->lease : Lease{};
  }
  absl::Status Move(const Lease& lease, State state) { return jobs_->Append(lease, {StateChanged{.state = state}}); }
  Job MustGet(const std::string& id) {
    const absl::StatusOr<Job> job = jobs_->Get(id);
    EXPECT_OK(job);
    return job.ok() ? *job : Job{};
  }
  // The states that the events of a job tell, checked to be numbered 1, 2, 3, ...
  std::vector<State> StatesOf(const std::string& id) {
    std::vector<State> states;
    const absl::StatusOr<std::vector<Event>> events = jobs_->Events(id, 0, 100000);
    EXPECT_OK(events);
    if (!events.ok()) return states;
    for (size_t i = 0; i < events->size(); ++i) {
      EXPECT_EQ((*events)[i].sequence, static_cast<int>(i) + 1);
      if (const auto* change = std::get_if<StateChanged>(&(*events)[i].body)) states.push_back(change->state);
    }
    return states;
  }

  const testing::TemporaryFolder folder_;
  const std::string path_ = folder_ / "graft.db";
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<JobStore> jobs_;
};

}  // namespace graft::jobs
