#include "server/main/server.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"
#include "server/access/access_directory.h"
#include "server/main/connection_acceptor.h"
#include "server/main/grpc_server.h"
#include "server/main/limits.h"
#include "server/metrics/metrics_endpoint.h"
#include "server/metrics/server_metrics.h"
#include "server/rpc/gate.h"
#include "server/services/batch_classification.h"
#include "server/services/dataset_service.h"
#include "server/services/health_service.h"
#include "server/services/inference_service.h"
#include "server/services/model_service.h"
#include "server/services/open_inference_service.h"
#include "server/services/reflection_service.h"
#include "server/services/system_service.h"
#include "server/services/training_service.h"
#include "server/services/visible.h"

namespace graft {
namespace {

// Short blocking work: reads of a few rows, commits of some milliseconds (4 ms is a synced commit on a usual disk).
constexpr int kRequestThreads = 8;
constexpr int kWaitingRequests = 256;

services::SystemService::Dependencies SystemDependencies(const ServerParts& parts, const ServerSettings& settings) {
  services::SystemService::Dependencies result;
  result.jobs = parts.jobs;
  result.datasets = parts.datasets;
  result.registry = parts.registry;
  result.classifier = parts.classifier;
  result.weights_root = settings.weights_root;
  result.version = settings.version;
  result.start_time = absl::Now();
  result.library_versions = settings.library_versions;
  result.limits = Limits(settings);
  result.devices = settings.devices;
  result.cores_per_worker = settings.cores_per_worker;
  result.worker_runs = parts.worker_runs;
  return result;
}

metrics::ServerSources MetricsSources(const ServerParts& parts, const ServerSettings& settings,
                                      const ThreadPool* requests, const std::unique_ptr<ConnectionAcceptor>& acceptor) {
  return {.database = parts.database,
          .datasets = parts.datasets,
          .jobs = parts.jobs,
          .feed = parts.feed,
          .registry = parts.registry,
          .classifier = parts.classifier,
          .requests = requests,
          .connections =
              [&acceptor] {
                return metrics::Connections{acceptor->open(), acceptor->refused()};
              },
          .data_dir = settings.data_dir,
          .version = settings.version,
          .devices = settings.devices,
          .worker_runs = parts.worker_runs,
          .worker_failures = parts.worker_failures};
}

access::Guard::NamesOfJob NamesOfJobIn(jobs::JobStore* jobs) {
  return [jobs](absl::string_view id) -> absl::StatusOr<std::vector<std::string>> {
    ASSIGN_OR_RETURN(const jobs::Job job, jobs->Get(id));
    return services::NamesOfJob(job);
  };
}

// By name, for health and reflection.
const std::vector<std::string>& ServiceNames() {
  static const auto* const names =
      new std::vector<std::string>{"graft.v1.DatasetService", "graft.v1.TrainingService",
                                   "graft.v1.ModelService",   "graft.v1.InferenceService",
                                   "graft.v1.SystemService",  "inference.GRPCInferenceService",
                                   "grpc.health.v1.Health",   "grpc.reflection.v1alpha.ServerReflection"};
  return *names;
}

class ComposedServer final : public Server {
 public:
  ComposedServer(const ServerParts& parts, const ServerSettings& settings,
                 std::unique_ptr<access::AccessDirectory> directory)
      : settings_(settings),
        directory_(std::move(directory)),
        audit_(parts.database),
        guard_(directory_.get(), &audit_, NamesOfJobIn(parts.jobs), settings.access),
        metrics_(MetricsSources(parts, settings, &requests_, acceptor_)),
        requests_("request", kRequestThreads, kWaitingRequests),
        gate_(&requests_, &metrics_.rpc(), &guard_),
        datasets_(&gate_, parts.datasets, parts.database, dataset::ImportLimits()),
        training_(&gate_, {parts.jobs, parts.feed, parts.datasets, parts.registry, settings.weights_root,
                           settings.devices, settings.bf16_devices, parts.worker_runs}),
        models_(&gate_, parts.registry, parts.classifier, settings.weights_root),
        inference_(&gate_, parts.classifier, parts.registry, &metrics_.classify()),
        open_inference_(&gate_, parts.classifier, parts.registry, &metrics_.classify(), settings.version),
        system_(&gate_, SystemDependencies(parts, settings)),
        health_(&gate_, parts.registry, parts.classifier, {ServiceNames().begin(), ServiceNames().end()}),
        reflection_(&gate_, ServiceNames()) {}

  ~ComposedServer() override { Drain(absl::ZeroDuration(), absl::ZeroDuration()); }

  absl::Status Listen() {
    ASSIGN_OR_RETURN(acceptor_, ConnectionAcceptor::Listen(settings_.listen, settings_.connection));
    if (const auto& address = settings_.metrics_listen) {
      ASSIGN_OR_RETURN(metrics_endpoint_,
                       metrics::MetricsEndpoint::Start(address->host, address->port, metrics_.collectables()));
    }
    ASSIGN_OR_RETURN(grpc_, GrpcServer::Start(acceptor_.get(), settings_.tls, settings_.connection,
                                              {&datasets_, &training_, &models_, &inference_, &open_inference_,
                                               &system_, &health_, &reflection_}));
    return absl::OkStatus();
  }

  config::ListenAddress listening() const override { return settings_.listen.WithPort(acceptor_->port()); }
  std::optional<config::ListenAddress> metrics_listening() const override {
    if (metrics_endpoint_ == nullptr) return std::nullopt;
    return settings_.metrics_listen->WithPort(metrics_endpoint_->port());
  }

  void Drain(absl::Duration delay, absl::Duration patience) override {
    if (grpc_ == nullptr) return;
    gate_.StopServing();
    health_.WakeWatches();
    absl::SleepFor(delay);
    gate_.Drain();
    grpc_->Shutdown(patience, [this] { return metrics_.rpc().any_active(); });
  }

 private:
  const ServerSettings settings_;
  const std::unique_ptr<access::AccessDirectory> directory_;
  access::AuditLog audit_;
  const access::Guard guard_;
  std::unique_ptr<ConnectionAcceptor> acceptor_;
  metrics::ServerMetrics metrics_;  // looks at what follows at a scrape alone
  ThreadPool requests_;
  rpc::Gate gate_;
  services::DatasetService datasets_;
  services::TrainingService training_;
  services::ModelService models_;
  services::InferenceService inference_;
  services::OpenInferenceService open_inference_;
  services::SystemService system_;
  services::HealthService health_;
  services::ReflectionService reflection_;
  std::unique_ptr<metrics::MetricsEndpoint> metrics_endpoint_;
  std::unique_ptr<GrpcServer> grpc_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerParts& parts, const ServerSettings& settings) {
  ASSIGN_OR_RETURN(auto directory, access::AccessDirectory::Start(parts.database));
  if (settings.access.asks && directory->empty()) {
    spdlog::warn("every call needs a token or certificate, and there is none yet: graft-server token create makes one");
  }
  auto server = std::make_unique<ComposedServer>(parts, settings, std::move(directory));
  RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace graft
