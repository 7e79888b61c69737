// graft-server: the API, inference and metrics in this process; training in workers that it supervises.

#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "core/base/cores.h"
#include "core/base/data_folder.h"
#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/base/periodic_thread.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"
#include "core/engine/engine.h"
#include "core/inference/classifier.h"
#include "core/jobs/change_feed.h"
#include "core/jobs/job_store.h"
#include "core/store/blob_store.h"
#include "core/store/database.h"
#include "server/config/server_config.h"
#include "server/logging/logging.h"
#include "server/main/access_commands.h"
#include "server/main/devices.h"
#include "server/main/preloader.h"
#include "server/main/server.h"
#include "server/metrics/scrape_target.h"
#include "server/supervisor/worker_supervisor.h"

namespace graft {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr absl::Duration kStopLimit = absl::Seconds(28);  // of drain delay and patience together
constexpr unsigned kShutdownLimitSeconds = 60;

const sigset_t& StopSignals() {
  static const sigset_t signals = [] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
  }();
  return signals;
}

// Before the first thread, which inherits all of it.
void PrepareProcess() {
  umask(077);
  // Debian's Abseil is built for debugging: it would keep a graph of all locks, and end the process at a possible
  // cycle. That is for tests.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  pthread_sigmask(SIG_BLOCK, &StopSignals(), nullptr);
  signal(SIGPIPE, SIG_IGN);
  mallopt(M_ARENA_MAX, 4);  // each thread's own arena would keep what it once used
}

absl::StatusOr<std::unique_ptr<FileLock>> ClaimDataFolder(const DataFolder& data) {
  RETURN_IF_ERROR(WithContext(CreateFolders(data.root), "--data-dir"));
  auto lock = FileLock::TryAcquire(data.server_lock(), absl::StrCat(getpid(), "\n"));
  if (absl::IsFailedPrecondition(lock.status())) {
    return PreconditionFailed("--data-dir " + data.root, "a running server uses this folder; stop it or name another");
  }
  return lock;
}

std::string WorkerProgram() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "graft-worker").string();
}

std::map<std::string, std::string> LibraryVersions() {
  std::map<std::string, std::string> versions = {
      {"grpc", grpc::Version()}, {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)}};
  for (const auto& [library, version] : engine::LibraryVersions()) versions[library] = version;
  return versions;
}

inference::ClassifierOptions ClassifierSettings(const config::ServerConfig& config, const DataFolder& data,
                                                const DevicePlan& plan) {
  inference::ClassifierOptions options;
  options.weights_root = data.weights();
  options.device = plan.serving;
  options.threads = plan.inference_threads;
  options.limits.max_bytes = config.max_image_bytes;
  options.has_bf16 = engine::SupportsPrecision(plan.serving, engine::Precision::kBf16);
  options.max_trunk_bytes = config.max_trunk_bytes;
  options.response_cache_bytes = config.response_cache_bytes;
  options.create_engine = engine::CreateEngine;
  return options;
}

access::CertificateFiles CertificateFilesOf(const config::ServerConfig& config) {
  return {config.tls_certificate, config.tls_key, config.tls_client_ca};
}

ServerSettings ServerSettingsOf(const config::ServerConfig& config, const DataFolder& data, const DevicePlan& plan) {
  ServerSettings settings;
  settings.listen = config.listen;
  settings.metrics_listen = config.metrics_listen;
  settings.data_dir = data.root;
  settings.weights_root = data.weights();
  settings.version = GRAFT_VERSION;
  settings.library_versions = LibraryVersions();
  settings.devices = plan.training;
  for (const std::string& device : plan.training) {
    if (engine::SupportsPrecision(device, engine::Precision::kBf16)) settings.bf16_devices.push_back(device);
  }
  settings.cores_per_worker = plan.cores_per_worker;
  settings.max_image_bytes = config.max_image_bytes;
  settings.tls = CertificateFilesOf(config);
  settings.access.asks = config::AsksWhoCalls(config);
  settings.access.rates.calls_per_second = config.max_calls_per_second;
  settings.access.rates.burst = std::max(1.0, 2 * config.max_calls_per_second);
  return settings;
}

supervisor::SupervisorOptions SupervisorSettings(const config::ServerConfig& config, const DataFolder& data,
                                                 const DevicePlan& plan, jobs::JobStore* jobs) {
  supervisor::SupervisorOptions options;
  options.program = WorkerProgram();
  options.data_dir = data.root;
  options.devices = plan.training;
  options.threads_per_worker = plan.cores_per_worker;
  options.metrics = config.metrics_listen.has_value();
  options.release_leases = [jobs](absl::string_view device, bool stopped) {
    return jobs->ReleaseLeases(device, stopped ? jobs::WorkerEnd::kStopped : jobs::WorkerEnd::kDied);
  };
  return options;
}

void AnnounceReady(const Server& server) {
  std::string lines = absl::StrCat("listening on ", server.listening().ToString(), "\n");
  if (const auto metrics = server.metrics_listening()) {
    absl::StrAppend(&lines, "metrics on ", metrics->ToString(), "\n");
  }
  // One write: scripts read these lines, so no log line of another thread may fall between their parts.
  std::cerr << lines << std::flush;
}

// The signal's number. From then on a second signal ends the process at once, and so does a shutdown that hangs: what
// was acknowledged is on disk either way.
int WaitForStopSignal() {
  int signal_number = 0;
  sigwait(&StopSignals(), &signal_number);
  pthread_sigmask(SIG_UNBLOCK, &StopSignals(), nullptr);
  alarm(kShutdownLimitSeconds);
  return signal_number;
}

absl::Status Serve(const config::ServerConfig& config) {
  RETURN_IF_ERROR(config::CheckExposure(config, grpc::Version()));
  ASSIGN_OR_RETURN(const DevicePlan plan, PlanDevices(config, engine::AvailableDevices(), AvailableCores()));
  const DataFolder data{std::filesystem::absolute(config.data_dir).lexically_normal().string()};
  ASSIGN_OR_RETURN(const std::unique_ptr<FileLock> lock, ClaimDataFolder(data));

  ASSIGN_OR_RETURN(const std::unique_ptr<store::Database> database, store::Database::Open(data.database()));
  ASSIGN_OR_RETURN(const std::unique_ptr<store::BlobStore> blobs, store::BlobStore::Open(data.blobs(), database.get()));
  dataset::DatasetStore datasets(database.get(), blobs.get());
  jobs::JobStore jobs(database.get());
  registry::Registry registry(database.get(), data.models());
  RETURN_IF_ERROR(registry.RemoveOrphans());
  const std::unique_ptr<jobs::ChangeFeed> feed = jobs::ChangeFeed::Start(database.get(), &jobs);
  const auto classifier = inference::Classifier::Create(&registry, ClassifierSettings(config, data, plan));

  const Preloader preloader(classifier.get(), &registry, feed.get());
  const PeriodicThread trimming("trim-events", absl::Hours(1), [&jobs] {
    if (const auto trimmed = jobs.TrimEvents(); !trimmed.ok()) {
      spdlog::warn("old events of jobs stay for now: {}", trimmed.status().ToString());
    }
  });
  RETURN_IF_ERROR(metrics::RemoveScrapeTargets(data));
  std::shared_ptr<supervisor::WorkerSupervisor> workers =
      supervisor::WorkerSupervisor::Start(SupervisorSettings(config, data, plan, &jobs));
  // Metrics are asked for until the server has gone, the workers go before it.
  const std::weak_ptr<supervisor::WorkerSupervisor> alive = workers;
  const auto worker_runs = [alive](const std::string& device) {
    const auto there = alive.lock();
    return there != nullptr && there->StateOf(device) == supervisor::WorkerState::kRunning;
  };
  const auto worker_failures = [alive](const std::string& device) {
    const auto there = alive.lock();
    return there == nullptr ? 0 : there->FailuresOf(device);
  };
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                   Server::Start({database.get(), &datasets, &jobs, feed.get(), &registry, classifier.get(),
                                  worker_runs, worker_failures},
                                 ServerSettingsOf(config, data, plan)));
  AnnounceReady(*server);

  const int signal_number = WaitForStopSignal();
  spdlog::info("stopping on signal {}", signal_number);
  // Ctrl-C has somebody waiting, and hardly a load balancer.
  const absl::Duration delay = signal_number == SIGINT ? absl::ZeroDuration() : absl::Seconds(config.drain_seconds);
  // Jobs go to their checkpoint and back to the queue meanwhile.
  std::thread stopping = NamedThread("stop workers", [&workers] { workers.reset(); });
  server->Drain(delay, kStopLimit - delay);
  stopping.join();
  spdlog::info("stopped");
  return absl::OkStatus();
}

config::Environment EnvironmentOfGraft() {
  config::Environment environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(*variable, absl::MaxSplits('=', 1));
    if (absl::StartsWith(parts.first, "GRAFT_")) environment.insert(parts);
  }
  return environment;
}

// What Serve would refuse before it touches anything.
absl::Status Check(const config::ServerConfig& config) {
  RETURN_IF_ERROR(config::CheckExposure(config, grpc::Version()));
  if (!config.tls_key.empty()) {
    RETURN_IF_ERROR(access::ReadCertificates(CertificateFilesOf(config)).status());
  }
  return PlanDevices(config, engine::AvailableDevices(), AvailableCores()).status();
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return 0;
  std::cerr << "graft-server: " << status.message() << "\n";
  return absl::IsInvalidArgument(status) ? kExitUsage : kExitFailed;
}

int Main(int argc, const char* const* argv) {
  PrepareProcess();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (IsAccessCommand(arguments)) return RunAccessCommand(arguments, std::cout, std::cerr);
  const auto parsed =
      config::ParseServerConfig(arguments, EnvironmentOfGraft(), absl::StrCat("graft-server ", GRAFT_VERSION));
  if (!parsed.ok()) return ExitCodeOf(parsed.status());
  if (!parsed->config.has_value()) {
    std::cout << parsed->text;
    return 0;
  }
  if (parsed->check_only) {
    std::cout << parsed->text << std::flush;
    return ExitCodeOf(Check(*parsed->config));
  }
  logging::SetUpLogging("graft-server", parsed->config->log_level);
  return ExitCodeOf(Serve(*parsed->config));
}

}  // namespace
}  // namespace graft

int main(int argc, char** argv) {
  return graft::Main(argc, argv);
}
