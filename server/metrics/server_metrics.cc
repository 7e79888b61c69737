#include "server/metrics/server_metrics.h"

#include <iterator>
#include <utility>

#include "absl/time/clock.h"
#include "server/metrics/buckets.h"
#include "server/metrics/classifier_families.h"
#include "server/metrics/gpu_families.h"
#include "server/metrics/process_families.h"

namespace graft::metrics {
namespace {

void Append(Families more, Families& families) {
  families.insert(families.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

Families JobFamilies(jobs::JobStore& jobs) {
  const auto counts = jobs.CountByState();
  if (!counts.ok()) return {};
  std::vector<Sample> samples;
  for (const auto& [state, count] : *counts) {
    samples.push_back({static_cast<double>(count), {{"state", std::string(jobs::NameOf(state))}}});
  }
  return {Gauge("graft_jobs", "Jobs by state.", samples)};
}

Families WorkerFamilies(const ServerSources& sources) {
  std::vector<Sample> running, failures;
  for (const std::string& device : sources.devices) {
    running.push_back({sources.worker_runs(device) ? 1.0 : 0.0, {{"device", device}}});
    failures.push_back({static_cast<double>(sources.worker_failures(device)), {{"device", device}}});
  }
  return {Gauge("graft_worker_running", "1 while the device's worker runs.", running),
          Counter("graft_worker_failures_total", "Times that the worker ended by itself or could not be started.",
                  failures)};
}

Families RegistryFamilies(registry::Registry& registry, dataset::DatasetStore& datasets) {
  Families families;
  if (const auto counts = registry.Count(); counts.ok()) {
    families.push_back(Gauge("graft_models", "Models with a version.", {{static_cast<double>(counts->models)}}));
    families.push_back(Gauge("graft_model_versions", "Their versions.", {{static_cast<double>(counts->versions)}}));
  }
  if (const auto moves = registry.CountAliasMoves(); moves.ok()) {
    families.push_back(Counter("graft_alias_moves_total", "Times that an alias was pointed at another version, ever.",
                               {{static_cast<double>(moves->promotions), {{"kind", "promotion"}}},
                                {static_cast<double>(moves->rollbacks), {{"kind", "rollback"}}}}));
  }
  if (const auto counts = datasets.Count(); counts.ok()) {
    families.push_back(Gauge("graft_datasets", "Data sets.", {{static_cast<double>(counts->datasets)}}));
    families.push_back(Gauge("graft_dataset_versions", "Their versions.", {{static_cast<double>(counts->versions)}}));
  }
  return families;
}

// All that is asked for at a scrape.
class Scrape {
 public:
  explicit Scrape(ServerSources sources) : sources_(std::move(sources)) {}

  Families operator()() const {
    Families families = {Gauge("graft_build_info", "Always 1.", {{1, {{"version", sources_.version}}}}),
                         Gauge("graft_request_pool_waiting", "Calls that wait for a thread of the request pool.",
                               {{static_cast<double>(sources_.requests->waiting())}})};
    const Connections connections = sources_.connections();
    families.push_back(Gauge("graft_connections", "Open connections.", {{static_cast<double>(connections.open)}}));
    families.push_back(Counter("graft_connections_refused_total", "Refused because as many as may be were open.",
                               {{static_cast<double>(connections.refused)}}));
    Append(ClassifierFamilies(sources_.classifier->stats(), sources_.requests->refused()), families);
    Append(JobFamilies(*sources_.jobs), families);
    Append(WorkerFamilies(sources_), families);
    Append(RegistryFamilies(*sources_.registry, *sources_.datasets), families);
    Append(DiskFamilies(sources_.data_dir), families);
    Append(ProcessFamilies(start_time_), families);
    if (nvml_ != nullptr) Append(GpuFamilies(nvml_->Look()), families);
    return families;
  }

 private:
  const ServerSources sources_;
  const absl::Time start_time_ = absl::Now();
  const std::shared_ptr<const Nvml> nvml_ = Nvml::Open();
};

}  // namespace

std::shared_ptr<void> ObserveCommits(prometheus::Registry& registry, store::Database* database) {
  prometheus::Histogram& commits = prometheus::BuildHistogram()
                                       .Name("graft_database_commit_seconds")
                                       .Help("Time of one durable commit of this process.")
                                       .Register(registry)
                                       .Add({}, RequestBuckets());
  database->ObserveCommits([&commits](absl::Duration duration) { commits.Observe(absl::ToDoubleSeconds(duration)); });
  return {nullptr, [database](void*) { database->ObserveCommits(nullptr); }};
}

ServerMetrics::ServerMetrics(ServerSources sources)
    : registry_(std::make_shared<prometheus::Registry>()),
      models_(std::make_shared<ModelMetrics>([classifier = sources.classifier] { return classifier->stats().models; })),
      sampled_(std::make_shared<Sampled>(Scrape(sources))),
      rpc_(*registry_),
      classify_(*registry_, models_.get()),
      job_ends_(*registry_, sources.feed),
      commits_(ObserveCommits(*registry_, sources.database)) {}

std::vector<std::shared_ptr<prometheus::Collectable>> ServerMetrics::collectables() const {
  return {registry_, models_, sampled_};
}

}  // namespace graft::metrics
