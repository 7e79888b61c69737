// Jobs as users see them: with the reason for waiting and the times that are predicted for them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/dataset/dataset_store.h"
#include "core/jobs/forecast.h"
#include "core/jobs/job_store.h"
#include "graft/v1/training.pb.h"

namespace graft::services {

// Thread-safe if `worker_runs` is. What it points to outlives it.
class JobOutlook {
 public:
  JobOutlook(jobs::JobStore* jobs, dataset::DatasetStore* datasets,
             std::function<bool(const std::string& device)> worker_runs)
      : jobs_(jobs), datasets_(datasets), worker_runs_(std::move(worker_runs)) {}

  struct Now {
    std::vector<jobs::Job> unfinished;  // as JobStore::Unfinished
    std::map<std::string, jobs::Outlook> outlooks;
  };
  absl::StatusOr<Now> Look() const;

  // The jobs with their outlook. Costs nothing more for jobs that have ended.
  absl::StatusOr<std::vector<v1::Job>> ToProtos(const std::vector<jobs::Job>& jobs) const;
  absl::StatusOr<v1::Job> ToProto(const jobs::Job& job) const;

 private:
  jobs::JobStore* const jobs_;
  dataset::DatasetStore* const datasets_;
  const std::function<bool(const std::string& device)> worker_runs_;
};

}  // namespace graft::services
