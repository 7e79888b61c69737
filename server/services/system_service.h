// graft.v1.SystemService: what this server is, has and allows.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/dataset/dataset_store.h"
#include "core/inference/classifier.h"
#include "core/jobs/job_store.h"
#include "core/registry/registry.h"
#include "graft/v1/system.grpc.pb.h"
#include "server/rpc/gate.h"

namespace graft::services {

// Thread-safe. What it points to outlives it.
class SystemService final : public v1::SystemService::CallbackService {
 public:
  struct Dependencies {
    jobs::JobStore* jobs;
    dataset::DatasetStore* datasets;
    registry::Registry* registry;
    inference::Classifier* classifier;
    std::string weights_root;
    std::string version;
    absl::Time start_time;
    std::map<std::string, std::string> library_versions;
    std::map<std::string, int64_t> limits;
    std::vector<std::string> devices;  // those with a worker
    int cores_per_worker = 1;
    std::function<bool(const std::string& device)> worker_runs;
  };
  SystemService(rpc::Gate* gate, Dependencies dependencies) : gate_(gate), deps_(std::move(dependencies)) {}

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context, const v1::GetServerInfoRequest* request,
                                          v1::ServerInfo* response) override;

 private:
  absl::Status Fill(const access::Principal& principal, v1::ServerInfo& info);
  void FillMachine(v1::ServerInfo& info);
  absl::Status FillQueues(v1::ServerInfo& info);
  absl::Status FillCounts(v1::ServerInfo& info);
  void FillBackbones(v1::ServerInfo& info);

  rpc::Gate* const gate_;
  const Dependencies deps_;
};

}  // namespace graft::services
