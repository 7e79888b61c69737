#include "server/services/health_service.h"

#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "server/rpc/server_stream.h"

namespace graft::services {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

namespace {

constexpr absl::Duration kLookPeriod = absl::Seconds(1);
constexpr absl::Duration kRetryPeriod = absl::Seconds(5);  // of a load that failed

absl::Status UnknownService(absl::string_view name) {
  return ResourceNotFound("service", name, "or it is a model that this caller may not use");
}

}  // namespace

// One Watch: looks whenever it is woken and says what has changed.
class HealthWatch final : public rpc::StreamSource<HealthCheckResponse> {
 public:
  HealthWatch(HealthService* health, std::string name, const access::Principal& principal, std::function<void()> wake,
              std::shared_ptr<void> slot)
      : health_(health), name_(std::move(name)), principal_(principal), slot_(std::move(slot)) {
    id_ = health_->AddWatch(wake, !health_->IsService(name_));
    loading_->wake = std::move(wake);
  }
  ~HealthWatch() override {
    health_->RemoveWatch(id_);
    absl::MutexLock lock(&loading_->mutex);
    loading_->wake = nullptr;
  }

  absl::StatusOr<rpc::StreamStep> Next(HealthCheckResponse* response) override {
    ASSIGN_OR_RETURN(const HealthService::Status now, Look());
    if (last_ == now) return rpc::StreamStep::kWait;
    last_ = now;
    response->set_status(now);
    return rpc::StreamStep::kSend;
  }

 private:
  // What a load that is under way ends with; it may outlive the watch.
  struct Loading {
    absl::Mutex mutex;
    std::function<void()> wake ABSL_GUARDED_BY(mutex);
    std::optional<bool> loaded ABSL_GUARDED_BY(mutex);
  };

  absl::StatusOr<HealthService::Status> Look() {
    if (health_->IsService(name_)) return health_->ServiceStatus();
    const absl::StatusOr<std::string> version = health_->FindModel(name_, principal_);
    if (absl::IsNotFound(version.status())) return HealthCheckResponse::SERVICE_UNKNOWN;
    if (!version.ok()) return version.status();
    if (version_ != *version || TimeToTryAgain()) Load(*version);
    absl::MutexLock lock(&loading_->mutex);
    return health_->gate_->serving() && loading_->loaded.value_or(false) ? HealthCheckResponse::SERVING
                                                                         : HealthCheckResponse::NOT_SERVING;
  }

  bool TimeToTryAgain() {
    absl::MutexLock lock(&loading_->mutex);
    return loading_->loaded == false && absl::Now() >= next_try_;
  }

  void Load(const std::string& version) {
    version_ = version;
    next_try_ = absl::Now() + kRetryPeriod;
    auto loading = std::make_shared<Loading>();
    {
      absl::MutexLock lock(&loading_->mutex);
      absl::MutexLock new_lock(&loading->mutex);
      loading->wake = std::exchange(loading_->wake, nullptr);
    }
    loading_ = loading;
    health_->classifier_->Load(version, [loading](const absl::Status& loaded) {
      absl::MutexLock lock(&loading->mutex);
      loading->loaded = loaded.ok();
      if (loading->wake) loading->wake();
    });
  }

  HealthService* const health_;
  const std::string name_;
  const access::Principal principal_;
  const std::shared_ptr<void> slot_;
  int64_t id_ = 0;
  std::optional<HealthService::Status> last_;
  std::string version_;  // whose loading this is
  absl::Time next_try_;  // if it fails
  std::shared_ptr<Loading> loading_ = std::make_shared<Loading>();
};

HealthService::HealthService(rpc::Gate* gate, registry::Registry* registry, inference::Classifier* classifier,
                             std::set<std::string> services)
    : gate_(gate),
      registry_(registry),
      classifier_(classifier),
      services_(std::move(services)),
      watch_slots_(std::make_shared<rpc::Slots>(kMaxWatches)),
      nobodys_slots_(std::make_shared<rpc::Slots>(kMaxWatches)),
      ticker_("health", kLookPeriod, [this] {
        absl::MutexLock lock(&mutex_);
        for (const auto& [id, watch] : watches_) {
          if (watch.of_model) watch.wake();
        }
      }) {}

void HealthService::WakeWatches() {
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, watch] : watches_) watch.wake();
}

HealthService::Status HealthService::ServiceStatus() const {
  return gate_->serving() ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

absl::StatusOr<std::string> HealthService::FindModel(const std::string& name,
                                                     const access::Principal& principal) const {
  const absl::StatusOr<VersionReference> reference = ParseVersionReference("service", "models", name);
  if (!reference.ok() || !principal.MayUse(name)) return UnknownService(name);
  ASSIGN_OR_RETURN(const int number, registry_->ResolveNumber(*reference));
  return VersionName("models", reference->name, number);
}

void HealthService::CheckModel(const std::string& name, HealthCheckResponse* response, const rpc::Call& call) {
  const absl::StatusOr<std::string> version = FindModel(name, call->principal());
  if (!version.ok()) return call->Finish(version.status());
  classifier_->Load(*version, [this, response, call](const absl::Status& loaded) {
    response->set_status(loaded.ok() && gate_->serving() ? HealthCheckResponse::SERVING
                                                         : HealthCheckResponse::NOT_SERVING);
    call->Finish(absl::OkStatus());
  });
}

int64_t HealthService::AddWatch(std::function<void()> wake, bool of_model) {
  absl::MutexLock lock(&mutex_);
  watches_.emplace(next_watch_, Watched{std::move(wake), of_model});
  return next_watch_++;
}

void HealthService::RemoveWatch(int64_t id) {
  absl::MutexLock lock(&mutex_);
  watches_.erase(id);
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context, const HealthCheckRequest* request,
                                               HealthCheckResponse* response) {
  const std::string method = "grpc.health.v1.Health/Check";
  if (IsService(request->service())) {
    return rpc::Probe(gate_, context, method, [this, response] { response->set_status(ServiceStatus()); });
  }
  return rpc::AsyncUnary(gate_, context, request, method, [this, request, response](const rpc::Call& call) {
    // Who may use no model at all is answered at once, whatever they ask.
    if (!call->principal().MayUse(request->service())) return call->Finish(UnknownService(request->service()));
    const bool queued = gate_->requests().TryRun([=, this] { CheckModel(request->service(), response, call); });
    if (!queued) call->Finish(rpc::RequestQueueFull());
  });
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(grpc::CallbackServerContext* context,
                                                                    const HealthCheckRequest* request) {
  using Source = std::unique_ptr<rpc::StreamSource<HealthCheckResponse>>;
  return rpc::ServerStream<HealthCheckResponse>::Start(
      gate_, context, request, "grpc.health.v1.Health/Watch",
      [this, request](const access::Principal& principal, std::function<void()> wake) -> absl::StatusOr<Source> {
        rpc::Slots& slots = principal.name == access::Nobody().name ? *nobodys_slots_ : *watch_slots_;
        ASSIGN_OR_RETURN(std::shared_ptr<void> slot, slots.Take("health watches", absl::Seconds(5)));
        return Source(new HealthWatch(this, request->service(), principal, std::move(wake), std::move(slot)));
      });
}

}  // namespace graft::services
