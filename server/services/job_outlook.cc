#include "server/services/job_outlook.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "absl/time/clock.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "server/services/convert.h"

namespace graft::services {
namespace {

// Enough to find some with the backbone and preset in question.
constexpr int kLookedAtJobs = 50;

// Asked once for each data set version.
std::function<std::optional<int>(const std::string&)> ImageCounts(dataset::DatasetStore* datasets) {
  auto known = std::make_shared<std::map<std::string, std::optional<int>>>();
  return [datasets, known](const std::string& name) {
    const auto [found, is_new] = known->try_emplace(name);
    if (!is_new) return found->second;
    const auto reference = ParseVersionReference("dataset", "datasets", name);
    if (!reference.ok()) return found->second;
    if (const auto version = datasets->Find(*reference); version.ok()) found->second = version->image_count;
    return found->second;
  };
}

}  // namespace

absl::StatusOr<JobOutlook::Now> JobOutlook::Look() const {
  Now now;
  jobs::ForecastFacts facts{.now = absl::Now(), .images = ImageCounts(datasets_), .worker_runs = worker_runs_};
  ASSIGN_OR_RETURN(facts.unfinished, jobs_->Unfinished());
  std::set<std::string> devices;
  for (const jobs::Job& job : facts.unfinished) devices.insert(job.spec.device);
  for (const std::string& device : devices) {
    ASSIGN_OR_RETURN(const std::vector<jobs::Job> succeeded, jobs_->LastSucceeded(device, kLookedAtJobs));
    facts.succeeded.insert(facts.succeeded.end(), succeeded.begin(), succeeded.end());
  }
  now.outlooks = jobs::Forecast(facts);
  now.unfinished = std::move(facts.unfinished);
  return now;
}

absl::StatusOr<std::vector<v1::Job>> JobOutlook::ToProtos(const std::vector<jobs::Job>& jobs) const {
  Now now;
  const auto is_unfinished = [](const jobs::Job& job) { return !jobs::IsTerminal(job.state); };
  if (std::any_of(jobs.begin(), jobs.end(), is_unfinished)) {
    ASSIGN_OR_RETURN(now, Look());
  }
  std::vector<v1::Job> protos;
  for (const jobs::Job& job : jobs) protos.push_back(services::ToProto(job, now.outlooks[job.id]));
  return protos;
}

absl::StatusOr<v1::Job> JobOutlook::ToProto(const jobs::Job& job) const {
  ASSIGN_OR_RETURN(std::vector<v1::Job> protos, ToProtos({job}));
  return std::move(protos.front());
}

}  // namespace graft::services
