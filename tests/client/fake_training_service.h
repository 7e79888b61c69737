// TrainingService in memory: one job whose events are given, on streams that break on request.
#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "graft/v1/training.grpc.pb.h"

namespace graft::testing {

// Thread-safe.
class FakeTrainingService : public v1::TrainingService::Service {
 public:
  // The job and its events; their sequences are set to 1, 2, ...
  void SetJob(v1::Job job, std::vector<v1::JobEvent> events) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next watches end with UNAVAILABLE after this many events each.
  void BreakWatchesAfterEvents(std::vector<int> events) ABSL_LOCKS_EXCLUDED(mutex_);
  // Each watch starts this many events before the one asked for.
  void RepeatEvents(int events) ABSL_LOCKS_EXCLUDED(mutex_);
  void LeaveOutEvent(int sequence) ABSL_LOCKS_EXCLUDED(mutex_);
  // The watch stays open after its last event until the client goes away.
  void KeepWatchesOpen() ABSL_LOCKS_EXCLUDED(mutex_);
  void EndWatches() ABSL_LOCKS_EXCLUDED(mutex_);
  // The next submits get this status instead.
  void FailSubmits(std::vector<absl::Status> failures) ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<v1::SubmitJobRequest> submits() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<int> watched_after() const ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::Status SubmitJob(grpc::ServerContext* context, const v1::SubmitJobRequest* request, v1::Job* response) override;
  grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request, v1::Job* response) override;
  // These two set the job's state, as for a job that no worker holds.
  grpc::Status PauseJob(grpc::ServerContext* context, const v1::PauseJobRequest* request, v1::Job* response) override;
  grpc::Status ResumeJob(grpc::ServerContext* context, const v1::ResumeJobRequest* request, v1::Job* response) override;
  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::JobEvent>* writer) override;

 private:
  struct WatchPlan {
    std::vector<v1::JobEvent> events;
    bool broken = false;
    bool stays_open = false;
  };
  grpc::Status SetState(const std::string& name, v1::JobState state, v1::Job* response) ABSL_LOCKS_EXCLUDED(mutex_);
  WatchPlan PlanWatch(int after_sequence) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  v1::Job job_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::JobEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> break_after_ ABSL_GUARDED_BY(mutex_);
  int repeat_ ABSL_GUARDED_BY(mutex_) = 0;
  int left_out_ ABSL_GUARDED_BY(mutex_) = 0;
  bool keep_open_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<absl::Status> submit_failures_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::SubmitJobRequest> submits_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> watched_after_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft::testing
