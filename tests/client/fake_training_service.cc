#include "tests/client/fake_training_service.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "proto/status_codec.h"
#include "tests/client/fake_request_id.h"

namespace graft::testing {
void FakeTrainingService::SetJob(v1::Job job, std::vector<v1::JobEvent> events) {
  absl::MutexLock lock(&mutex_);
  job_ = std::move(job);
  events_ = std::move(events);
  for (size_t i = 0; i < events_.size(); ++i) events_[i].set_sequence(static_cast<int>(i) + 1);
}

void FakeTrainingService::BreakWatchesAfterEvents(std::vector<int> events) {
  absl::MutexLock lock(&mutex_);
  break_after_ = std::move(events);
}

void FakeTrainingService::RepeatEvents(int events) {
  absl::MutexLock lock(&mutex_);
  repeat_ = events;
}

void FakeTrainingService::LeaveOutEvent(int sequence) {
  absl::MutexLock lock(&mutex_);
  left_out_ = sequence;
}

void FakeTrainingService::KeepWatchesOpen() {
  absl::MutexLock lock(&mutex_);
  keep_open_ = true;
}

void FakeTrainingService::EndWatches() {
  absl::MutexLock lock(&mutex_);
  keep_open_ = false;
}

void FakeTrainingService::FailSubmits(std::vector<absl::Status> failures) {
  absl::MutexLock lock(&mutex_);
  submit_failures_ = std::move(failures);
}

std::vector<v1::SubmitJobRequest> FakeTrainingService::submits() const {
  absl::MutexLock lock(&mutex_);
  return submits_;
}

std::vector<int> FakeTrainingService::watched_after() const {
  absl::MutexLock lock(&mutex_);
  return watched_after_;
}

grpc::Status FakeTrainingService::SubmitJob(grpc::ServerContext*, const v1::SubmitJobRequest* request,
                                            v1::Job* response) {
  absl::MutexLock lock(&mutex_);
  submits_.push_back(*request);
  if (!submit_failures_.empty()) {
    const absl::Status failure = submit_failures_.front();
    submit_failures_.erase(submit_failures_.begin());
    return ToGrpcStatus(failure, kRequestId);
  }
  *response = job_;
  *response->mutable_spec() = request->spec();
  return grpc::Status::OK;
}

grpc::Status FakeTrainingService::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request, v1::Job* response) {
  absl::MutexLock lock(&mutex_);
  if (request->name() != job_.name()) return ToGrpcStatus(ResourceNotFound("job", request->name()), kRequestId);
  *response = job_;
  return grpc::Status::OK;
}

grpc::Status FakeTrainingService::SetState(const std::string& name, v1::JobState state, v1::Job* response) {
  absl::MutexLock lock(&mutex_);
  if (name != job_.name()) return ToGrpcStatus(ResourceNotFound("job", name), kRequestId);
  job_.set_state(state);
  *response = job_;
  return grpc::Status::OK;
}

grpc::Status FakeTrainingService::PauseJob(grpc::ServerContext*, const v1::PauseJobRequest* request,
                                           v1::Job* response) {
  return SetState(request->name(), v1::JOB_STATE_PAUSED, response);
}

grpc::Status FakeTrainingService::ResumeJob(grpc::ServerContext*, const v1::ResumeJobRequest* request,
                                            v1::Job* response) {
  return SetState(request->name(), v1::JOB_STATE_QUEUED, response);
}

FakeTrainingService::WatchPlan FakeTrainingService::PlanWatch(int after_sequence) {
  absl::MutexLock lock(&mutex_);
  watched_after_.push_back(after_sequence);
  WatchPlan plan;
  plan.stays_open = keep_open_;
  for (const auto& event : events_) {
    if (event.sequence() > after_sequence - repeat_ && event.sequence() != left_out_) plan.events.push_back(event);
  }
  if (!break_after_.empty()) {
    plan.broken = true;
    plan.events.resize(std::min(plan.events.size(), static_cast<size_t>(break_after_.front())));
    break_after_.erase(break_after_.begin());
  }
  return plan;
}

grpc::Status FakeTrainingService::WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                                           grpc::ServerWriter<v1::JobEvent>* writer) {
  const WatchPlan plan = PlanWatch(request->after_sequence());
  for (const auto& event : plan.events) writer->Write(event);
  if (plan.broken) return ToGrpcStatus(absl::UnavailableError("the fake server broke the watch"), kRequestId);
  while (plan.stays_open && !context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
  return grpc::Status::OK;
}

}  // namespace graft::testing
