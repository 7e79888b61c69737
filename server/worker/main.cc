// graft-worker: claims fine-tune jobs from the data folder's database and runs them on one device.

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <memory>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "core/engine/engine.h"
#include "core/train/head_trainer.h"
#include "core/workflow/train_workflow.h"
#include "server/logging/logging.h"
#include "server/metrics/metrics_endpoint.h"
#include "server/metrics/process_families.h"
#include "server/metrics/scrape_target.h"
#include "server/metrics/server_metrics.h"
#include "server/metrics/training_metrics.h"
#include "server/worker/claim_loop.h"
#include "server/worker/lifeline.h"
#include "server/worker/options.h"

namespace graft::worker {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitLocked = 75;  // EX_TEMPFAIL of sysexits.h: the supervisor tries again

constexpr int kNiceness = 10;  // Classify comes first

absl::Status CheckDevice(const std::string& device) {
  const std::vector<std::string> devices = engine::AvailableDevices();
  if (absl::c_linear_search(devices, device)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--device ", device, ": this machine has ", absl::StrJoin(devices, ", ")));
}

struct Exposed {
  std::shared_ptr<void> commits;
  std::unique_ptr<metrics::ScrapeTarget> target;
  metrics::TrainingMetrics* training = nullptr;
};

// The endpoint, and what it serves, last until the process ends: stopping it would take two seconds.
absl::StatusOr<Exposed> ExposeMetrics(const Options& options, store::Database* database) {
  const auto registry = std::make_shared<prometheus::Registry>();
  const auto training = std::make_shared<metrics::TrainingMetrics>(*registry);
  const auto process =
      std::make_shared<metrics::Sampled>([start = absl::Now()] { return metrics::ProcessFamilies(start); });
  Exposed exposed{.commits = metrics::ObserveCommits(*registry, database), .training = training.get()};
  ASSIGN_OR_RETURN(auto endpoint, metrics::MetricsEndpoint::Start("127.0.0.1", 0, {registry, training, process}));
  ASSIGN_OR_RETURN(exposed.target, metrics::ScrapeTarget::Publish(options.data, options.device, endpoint->port()));
  static const auto* const kept = endpoint.release();
  static_cast<void>(kept);
  return exposed;
}

absl::Status RunJobs(const Options& options, const absl::Notification& stop) {
  ASSIGN_OR_RETURN(const std::unique_ptr<store::Database> database, store::Database::Open(options.data.database()));
  ASSIGN_OR_RETURN(const std::unique_ptr<store::BlobStore> blobs,
                   store::BlobStore::Open(options.data.blobs(), database.get()));
  dataset::DatasetStore datasets(database.get(), blobs.get());
  jobs::JobStore jobs(database.get());
  registry::Registry registry(database.get(), options.data.models());
  features::FeatureCache features(options.data.features(), options.max_feature_cache_bytes);
  workflow::EngineCache engines;
  Exposed exposed;
  if (options.metrics) {
    ASSIGN_OR_RETURN(exposed, ExposeMetrics(options, database.get()));
  }
  const workflow::Resources resources{.database = database.get(),
                                      .blobs = blobs.get(),
                                      .datasets = &datasets,
                                      .jobs = &jobs,
                                      .registry = &registry,
                                      .features = &features,
                                      .engines = &engines,
                                      .weights_root = options.data.weights(),
                                      .jobs_root = options.data.jobs(),
                                      .threads = options.threads,
                                      .observer = exposed.training};
  // The lock that this process holds proves that the device's earlier worker is dead: its job goes on at once.
  RETURN_IF_ERROR(jobs.ReleaseLeases(options.device));
  ClaimLoop(resources, options.device, absl::StrCat("pid ", getpid()), &stop).Run();
  return absl::OkStatus();
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return 0;
  spdlog::error("{}", std::string(status.message()));
  return kExitFailed;
}

int Main(int argc, const char* const* argv) {
  const absl::StatusOr<Options> options = ParseOptions(argc, argv);
  if (!options.ok()) {
    std::cerr << "graft-worker: " << options.status().message() << "\n";
    return kExitUsage;
  }
  logging::SetUpLogging("graft-worker", "info");
  if (const absl::Status status = CreateFolders(options->data.root); !status.ok()) return ExitCodeOf(status);
  const absl::StatusOr<std::unique_ptr<FileLock>> lock =
      FileLock::TryAcquire(options->data.worker_lock(options->device), absl::StrCat(getpid(), "\n"));
  if (absl::IsFailedPrecondition(lock.status())) {
    spdlog::error("another worker for {} is running: {}", options->device, std::string(lock.status().message()));
    return kExitLocked;
  }
  if (!lock.ok()) return ExitCodeOf(lock.status());

  absl::Notification stop;
  const absl::StatusOr<std::unique_ptr<Lifeline>> lifeline = Lifeline::Start(&stop);
  if (!lifeline.ok()) return ExitCodeOf(lifeline.status());
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as the server
  if (nice(kNiceness) == -1 && errno != 0) spdlog::warn("cannot lower the priority");
  train::ConfigureThreads(options->threads);
  if (const absl::Status status = CheckDevice(options->device); !status.ok()) return ExitCodeOf(status);
  spdlog::info("worker for {} with {} threads on {}", options->device, options->threads, options->data.root);
  return ExitCodeOf(RunJobs(*options, stop));
}

}  // namespace
}  // namespace graft::worker

int main(int argc, char** argv) {
  return graft::worker::Main(argc, argv);
}
