#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "tests/server/services/server_test.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using Stub = v1::TrainingService::Stub;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

class TrainingServiceTest : public ServerTest {
 protected:
  absl::StatusOr<v1::Job> Submit(const v1::SubmitJobRequest& request) {
    v1::Job job;
    const absl::Status status = Call(&Stub::SubmitJob, *training_, request, &job);
    return status.ok() ? absl::StatusOr<v1::Job>(job) : status;
  }
  absl::StatusOr<v1::Job> Get(const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    v1::Job job;
    const absl::Status status = Call(&Stub::GetJob, *training_, request, &job);
    return status.ok() ? absl::StatusOr<v1::Job>(job) : status;
  }
  absl::StatusOr<v1::Job> Cancel(const std::string& name) {
    v1::CancelJobRequest request;
    request.set_name(name);
    v1::Job job;
    const absl::Status status = Call(&Stub::CancelJob, *training_, request, &job);
    return status.ok() ? absl::StatusOr<v1::Job>(job) : status;
  }
  absl::StatusOr<v1::Job> Pause(const std::string& name) {
    v1::PauseJobRequest request;
    request.set_name(name);
    v1::Job job;
    const absl::Status status = Call(&Stub::PauseJob, *training_, request, &job);
    return status.ok() ? absl::StatusOr<v1::Job>(job) : status;
  }
  absl::StatusOr<v1::Job> Resume(const std::string& name) {
    v1::ResumeJobRequest request;
    request.set_name(name);
    v1::Job job;
    const absl::Status status = Call(&Stub::ResumeJob, *training_, request, &job);
    return status.ok() ? absl::StatusOr<v1::Job>(job) : status;
  }
  static v1::SubmitJobRequest Valid() {
    v1::SubmitJobRequest request;
    request.mutable_spec()->set_dataset("animals");
    request.mutable_spec()->set_backbone("mobilenet_v2");
    return request;
  }
  static std::string FieldOf(const absl::Status& status) {
    const auto detail = DetailOf(status);
    return detail && std::holds_alternative<FieldDetail>(*detail) ? std::get<FieldDetail>(*detail).field : "";
  }
};

TEST_F(TrainingServiceTest, SubmittedJobHasTheResolvedSpec) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, SubmitJob());
  EXPECT_THAT(job.name(), StartsWith("jobs/"));
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(job.requested_spec().dataset(), "animals");
  EXPECT_FALSE(job.requested_spec().has_epochs());
  EXPECT_EQ(job.spec().dataset(), "datasets/animals/versions/1");
  EXPECT_EQ(job.spec().epochs(), 10);
  EXPECT_EQ(job.spec().device(), "cpu");
  EXPECT_EQ(job.spec().decode(), "scaled");
  EXPECT_EQ(job.spec().precision(), "auto");
  EXPECT_EQ(job.spec().solver(), "adam");
  EXPECT_TRUE(job.has_create_time());
  EXPECT_FALSE(job.has_start_time());
  EXPECT_EQ(job.last_sequence(), 1);
  EXPECT_EQ(job.queue_position(), 1);
  EXPECT_EQ(job.spec().priority(), "normal");
  EXPECT_FALSE(job.spec().has_max_duration());
  EXPECT_EQ(job.waiting_reason(), "next on cpu");
  EXPECT_FALSE(job.has_predicted_start_time() && job.has_predicted_end_time());  // nothing was measured yet
  ASSERT_OK_AND_ASSIGN(v1::Job found, Get(job.name()));
  *found.mutable_predicted_start_time() = job.predicted_start_time();  // "now" has moved on
  EXPECT_EQ(found.SerializeAsString(), job.SerializeAsString());
  EXPECT_OK(Get(job.name().substr(5)));
}

TEST_F(TrainingServiceTest, SameRequestIdReturnsTheSameJob) {
  ASSERT_OK_AND_ASSIGN(const v1::Job first, SubmitJob("once"));
  v1::SubmitJobRequest again = Valid();
  again.set_request_id("once");
  ASSERT_OK_AND_ASSIGN(const v1::Job second, Submit(again));
  EXPECT_EQ(first.name(), second.name());
  again.mutable_spec()->set_epochs(3);
  EXPECT_THAT(Submit(again), StatusIs(absl::StatusCode::kAlreadyExists));
  again.set_request_id(std::string(129, 'x'));
  const absl::Status too_long = Submit(again).status();
  EXPECT_THAT(too_long, StatusIs(kInvalid));
  EXPECT_EQ(FieldOf(too_long), "request_id");
}

TEST_F(TrainingServiceTest, ValidateOnlyMakesNoJob) {
  ASSERT_OK(SubmitJob());
  v1::SubmitJobRequest request = Valid();
  request.set_validate_only(true);
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Submit(request));
  EXPECT_EQ(job.name(), "");
  EXPECT_EQ(job.spec().batch_size(), 32);
  v1::ListJobsResponse list;
  ASSERT_OK(Call(&Stub::ListJobs, *training_, {}, &list));
  EXPECT_EQ(list.jobs_size(), 1);
}

TEST_F(TrainingServiceTest, SweepAndViewsComeBackResolved) {
  ASSERT_OK(SubmitJob());
  v1::SubmitJobRequest request = Valid();
  request.set_validate_only(true);
  v1::SweptField& swept = *request.mutable_spec()->add_sweep();
  swept.set_field("learning_rate");
  swept.add_values(0.001);
  swept.add_values(0.01);
  request.mutable_spec()->set_weight_decay(0.5);
  request.mutable_spec()->set_augment("light");
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Submit(request));
  EXPECT_EQ(job.spec().sweep(0).SerializeAsString(), swept.SerializeAsString());
  EXPECT_FALSE(job.spec().has_learning_rate());
  EXPECT_EQ(job.spec().weight_decay(), 0.5);
  EXPECT_EQ(job.spec().views(), 4);
  swept.set_field("epochs");
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.sweep");
}

TEST_F(TrainingServiceTest, ImpossibleSpecsAreRefusedAtSubmit) {
  ASSERT_OK(Upload("animals", TwoClasses(8)));
  EXPECT_THAT(Submit(Valid()), StatusIs(kNotFound, HasSubstr("graft-weights")));
  PutWeights("mobilenet_v2");
  ASSERT_OK(Submit(Valid()));

  v1::SubmitJobRequest request = Valid();
  request.mutable_spec()->clear_dataset();
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.dataset");
  request = Valid();
  request.mutable_spec()->set_dataset("plants");
  EXPECT_THAT(Submit(request), StatusIs(kNotFound, HasSubstr("plants")));
  request = Valid();
  request.mutable_spec()->set_backbone("vgg16");
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.backbone");
  request = Valid();
  request.mutable_spec()->set_epochs(0);
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.epochs");
  request = Valid();
  request.mutable_spec()->set_decode("half");
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.decode");
  request = Valid();
  request.mutable_spec()->set_precision("bf16");  // the test's server has no device with it
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.precision");
  request = Valid();
  request.mutable_spec()->set_l2(0.1);  // without a solver that has it
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.l2");
  request.mutable_spec()->set_preset("fast");
  ASSERT_OK_AND_ASSIGN(const v1::Job solved, Submit(request));
  EXPECT_EQ(solved.spec().solver(), "lbfgs");
  EXPECT_EQ(solved.spec().l2(), 0.1);
  EXPECT_FALSE(solved.spec().has_epochs());
  request = Valid();
  request.mutable_spec()->set_device("cuda:7");
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.device");
}

TEST_F(TrainingServiceTest, PresetsWithPhasesAreResolvedForTheBackbone) {
  PutWeights("mobilenet_v2");
  ASSERT_OK(Upload("animals", TwoClasses(8)));
  v1::SubmitJobRequest request = Valid();
  request.mutable_spec()->set_preset("best");
  request.mutable_spec()->set_label_smoothing(0.2);
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Submit(request));
  EXPECT_EQ(job.requested_spec().phases_size(), 0);
  ASSERT_EQ(job.spec().phases_size(), 2);
  EXPECT_EQ(job.spec().phases(0).optimizer(), "lbfgs");
  EXPECT_FALSE(job.spec().phases(0).has_epochs());
  EXPECT_EQ(job.spec().phases(1).trainable(), "all");
  EXPECT_TRUE(job.spec().phases(1).has_layer_decay());
  EXPECT_EQ(job.spec().label_smoothing(), 0.2);
  EXPECT_FALSE(job.spec().has_epochs());
  request.mutable_spec()->set_trainable("blocks:18");
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.trainable") << "mobilenet_v2 has 17 blocks";
}

TEST_F(TrainingServiceTest, StartsFromAVersionOfTheBackbone) {
  ASSERT_OK(Upload("animals", TwoClasses(8)));
  PublishModel("beasts");
  v1::SubmitJobRequest request = Valid();
  request.mutable_spec()->set_init_from("beasts");
  request.mutable_spec()->clear_backbone();
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Submit(request));
  EXPECT_EQ(job.requested_spec().init_from(), "beasts");
  EXPECT_EQ(job.spec().init_from(), "models/beasts/versions/1");
  EXPECT_EQ(job.spec().backbone(), "mobilenet_v2");
  request.mutable_spec()->set_backbone("resnet50_v2");
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.init_from");
  request.mutable_spec()->set_init_from("beasts:7");
  EXPECT_THAT(Submit(request), StatusIs(kNotFound, HasSubstr("beasts:7")));
  request.mutable_spec()->set_init_from("Beasts/1");
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.init_from");
}

TEST_F(TrainingServiceTest, TeacherHasTheDataSetsClasses) {
  PutWeights("mobilenet_v2");
  ASSERT_OK(Upload("animals", TwoClasses(8)));
  PublishModel("beasts");
  v1::SubmitJobRequest request = Valid();
  request.mutable_spec()->set_preset("balanced");
  request.mutable_spec()->set_teacher("beasts@production");
  EXPECT_THAT(Submit(request), StatusIs(kNotFound));
  request.mutable_spec()->set_teacher("beasts");
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Submit(request));
  EXPECT_EQ(job.spec().teacher(), "models/beasts/versions/1");
  EXPECT_EQ(job.spec().distillation_weight(), 0.5);
  std::vector<Photo> photos = TwoClasses(8);
  for (Photo& photo : photos) photo.label += "s";
  ASSERT_OK(Upload("others", photos));
  request.mutable_spec()->set_dataset("others");
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.teacher");
}

TEST_F(TrainingServiceTest, ClassTooSmallToSplitIsRefusedAtSubmit) {
  PutWeights("mobilenet_v2");
  ASSERT_OK(Upload("animals", TwoClasses(2)));
  EXPECT_THAT(Submit(Valid()), StatusIs(kInvalid));
}

TEST_F(TrainingServiceTest, ListPagesNewestFirst) {
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK_AND_ASSIGN(const v1::Job job, SubmitJob(absl::StrCat("r", i)));
    names.insert(names.begin(), job.name());
  }
  std::vector<std::string> listed;
  v1::ListJobsRequest request;
  request.set_page_size(2);
  do {
    v1::ListJobsResponse page;
    ASSERT_OK(Call(&Stub::ListJobs, *training_, request, &page));
    EXPECT_LE(page.jobs_size(), 2);
    for (const v1::Job& job : page.jobs()) listed.push_back(job.name());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, names);
  request.set_page_token("made up");
  v1::ListJobsResponse page;
  EXPECT_EQ(FieldOf(Call(&Stub::ListJobs, *training_, request, &page)), "page_token");
}

TEST_F(TrainingServiceTest, QueuedJobIsCancelledAtOnceAndTwiceIsFine) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, SubmitJob());
  ASSERT_OK_AND_ASSIGN(const v1::Job cancelled, Cancel(job.name()));
  EXPECT_EQ(cancelled.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_OK(Cancel(job.name()));
}

TEST_F(TrainingServiceTest, QueuedJobIsPausedAndResumedAtOnceAndTwiceIsFine) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, SubmitJob());
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const v1::Job paused, Pause(job.name()));
    EXPECT_EQ(paused.state(), v1::JOB_STATE_PAUSED);
    EXPECT_FALSE(paused.has_end_time());
  }
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const v1::Job resumed, Resume(job.name()));
    EXPECT_EQ(resumed.state(), v1::JOB_STATE_QUEUED);
  }
  ASSERT_OK(Pause(job.name()));
  ASSERT_OK_AND_ASSIGN(const v1::Job cancelled, Cancel(job.name()));
  EXPECT_EQ(cancelled.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(Pause(job.name()), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Resume(job.name()), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(TrainingServiceTest, PriorityDecidesThePlaceAndTheReasonForWaiting) {
  ASSERT_OK_AND_ASSIGN(const v1::Job normal, SubmitJob());
  v1::SubmitJobRequest request = Valid();
  request.mutable_spec()->set_priority("high");
  request.mutable_spec()->mutable_max_duration()->set_nanos(500'000'000);
  ASSERT_OK_AND_ASSIGN(const v1::Job high, Submit(request));
  EXPECT_EQ(high.spec().max_duration().nanos(), 500'000'000);
  EXPECT_EQ(high.queue_position(), 1);
  ASSERT_OK_AND_ASSIGN(const v1::Job waiting, Get(normal.name()));
  EXPECT_EQ(waiting.queue_position(), 2);
  EXPECT_EQ(waiting.waiting_reason(), "1 job before it on cpu");
  ASSERT_OK_AND_ASSIGN(const v1::Job paused, Pause(high.name()));
  EXPECT_EQ(paused.waiting_reason(), "paused");
  v1::ListJobsResponse list;
  ASSERT_OK(Call(&Stub::ListJobs, *training_, {}, &list));
  EXPECT_EQ(list.jobs(1).waiting_reason(), "next on cpu");

  request = Valid();
  request.mutable_spec()->set_priority("urgent");
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.priority");
  request = Valid();
  request.mutable_spec()->mutable_max_duration()->set_seconds(-1);
  EXPECT_EQ(FieldOf(Submit(request).status()), "spec.max_duration");
}

TEST_F(TrainingServiceTest, EndsArePredictedFromJobsThatSucceeded) {
  ASSERT_OK_AND_ASSIGN(const v1::Job first, SubmitJob());
  ASSERT_OK_AND_ASSIGN(const auto claim, job_store_->ClaimNext("cpu", "test"));
  ASSERT_TRUE(claim.has_value());
  for (const auto state :
       {jobs::State::kPreparing, jobs::State::kTraining, jobs::State::kEvaluating, jobs::State::kPublishing}) {
    ASSERT_OK(job_store_->Append(claim->lease, {jobs::StateChanged{.state = state}}));
  }
  const jobs::Result result{.epochs_run = 10,
                            .images_from_cache = 16,
                            .phase_seconds = {{"prepare", 1}, {"train", 2}, {"evaluate", 3}, {"publish", 4}}};
  ASSERT_OK(job_store_->Append(claim->lease, {jobs::StateChanged{.state = jobs::State::kSucceeded, .result = result}}));
  ASSERT_OK_AND_ASSIGN(const v1::Job ended, Get(first.name()));
  EXPECT_FALSE(ended.has_predicted_end_time());
  ASSERT_OK_AND_ASSIGN(const v1::Job second, SubmitJob());
  ASSERT_TRUE(second.has_predicted_start_time());
  ASSERT_TRUE(second.has_predicted_end_time());
  EXPECT_EQ(second.predicted_end_time().seconds() - second.predicted_start_time().seconds(), 10);
}

TEST_F(TrainingServiceTest, KeepingTheBestNeedsAnEpoch) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, SubmitJob());
  v1::CancelJobRequest request;
  request.set_name(job.name());
  request.set_keep_best(true);
  v1::Job answer;
  EXPECT_THAT(Call(&Stub::CancelJob, *training_, request, &answer),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no epoch")));
  ASSERT_OK_AND_ASSIGN(const auto claim, job_store_->ClaimNext("cpu", "test"));
  ASSERT_TRUE(claim.has_value());
  ASSERT_OK(job_store_->Append(claim->lease, {jobs::EpochDone{.epoch = 1, .epochs = 10}}));
  ASSERT_OK(Call(&Stub::CancelJob, *training_, request, &answer));
  EXPECT_EQ(answer.state(), v1::JOB_STATE_QUEUED);  // not cancelled
  EXPECT_OK(Call(&Stub::CancelJob, *training_, request, &answer));
}

TEST_F(TrainingServiceTest, FinishedJobCannotBeCancelled) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, SubmitJob());
  ASSERT_OK_AND_ASSIGN(const auto claim, job_store_->ClaimNext("cpu", "test"));
  ASSERT_TRUE(claim.has_value());
  ASSERT_OK(job_store_->Append(claim->lease,
                               {jobs::StateChanged{.state = jobs::State::kPreparing},
                                jobs::StateChanged{.state = jobs::State::kFailed,
                                                   .failure = jobs::Failure{jobs::FailureType::kData, "no photos"}}}));
  EXPECT_THAT(Cancel(job.name()), StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK_AND_ASSIGN(const v1::Job failed, Get(job.name()));
  EXPECT_EQ(failed.error().type(), v1::JOB_ERROR_TYPE_DATA);
  EXPECT_EQ(failed.error().message(), "no photos");
  EXPECT_TRUE(failed.has_end_time());
}

TEST_F(TrainingServiceTest, UnknownAndMalformedNames) {
  const absl::Status unknown = Get("jobs/nosuchjob").status();
  EXPECT_THAT(unknown, StatusIs(kNotFound));
  const auto detail = DetailOf(unknown);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(std::get<ResourceDetail>(*detail).type, "job");
  EXPECT_EQ(FieldOf(Get("").status()), "name");
  EXPECT_EQ(FieldOf(Get("jobs/../x").status()), "name");
  EXPECT_THAT(Cancel("jobs/nosuchjob"), StatusIs(kNotFound));
  EXPECT_THAT(Pause("jobs/nosuchjob"), StatusIs(kNotFound));
  EXPECT_THAT(Resume("jobs/nosuchjob"), StatusIs(kNotFound));
  EXPECT_EQ(FieldOf(Pause("").status()), "name");
  EXPECT_EQ(FieldOf(Resume("").status()), "name");
}

}  // namespace
}  // namespace graft::testing
