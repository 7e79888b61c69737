// graft.v1.TrainingService.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/dataset/dataset_store.h"
#include "core/jobs/change_feed.h"
#include "core/jobs/job_store.h"
#include "core/registry/registry.h"
#include "graft/v1/training.grpc.pb.h"
#include "server/rpc/gate.h"
#include "server/rpc/slots.h"
#include "server/services/job_outlook.h"

namespace graft::services {

// Thread-safe. What it points to outlives it.
class TrainingService final : public v1::TrainingService::CallbackService {
 public:
  static constexpr int kMaxWatches = 256;

  struct Dependencies {
    jobs::JobStore* jobs;
    jobs::ChangeFeed* feed;
    dataset::DatasetStore* datasets;
    registry::Registry* registry;
    std::string weights_root;
    std::vector<std::string> devices;       // those with a worker
    std::vector<std::string> bf16_devices;  // those of them that compute in bf16
    std::function<bool(const std::string& device)> worker_runs;
  };
  TrainingService(rpc::Gate* gate, Dependencies dependencies)
      : gate_(gate),
        deps_(std::move(dependencies)),
        outlook_(deps_.jobs, deps_.datasets, deps_.worker_runs),
        watch_slots_(std::make_shared<rpc::Slots>(kMaxWatches)) {}

  grpc::ServerUnaryReactor* SubmitJob(grpc::CallbackServerContext* context, const v1::SubmitJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context, const v1::GetJobRequest* request,
                                   v1::Job* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context, const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerWriteReactor<v1::JobEvent>* WatchJob(grpc::CallbackServerContext* context,
                                                   const v1::WatchJobRequest* request) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context, const v1::CancelJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerUnaryReactor* PauseJob(grpc::CallbackServerContext* context, const v1::PauseJobRequest* request,
                                     v1::Job* response) override;
  grpc::ServerUnaryReactor* ResumeJob(grpc::CallbackServerContext* context, const v1::ResumeJobRequest* request,
                                      v1::Job* response) override;

 private:
  absl::Status Submit(const v1::SubmitJobRequest& request, const access::Principal& principal, v1::Job& response);
  absl::Status List(const v1::ListJobsRequest& request, const access::Principal& principal,
                    v1::ListJobsResponse& response);
  // The version that spec.init_from names, of the spec's backbone; sets an empty backbone to its.
  absl::StatusOr<std::string> ResolveStart(jobs::TrainSpec& requested);
  // The version that spec.teacher names, of the data set's classes.
  absl::StatusOr<std::string> ResolveTeacher(const std::string& teacher, const dataset::Version& dataset);
  // Every field set, and proven possible: the data set, its split and the weights exist.
  absl::StatusOr<jobs::TrainSpec> Resolve(jobs::TrainSpec requested);

  rpc::Gate* const gate_;
  const Dependencies deps_;
  const JobOutlook outlook_;
  const std::shared_ptr<rpc::Slots> watch_slots_;
};

}  // namespace graft::services
