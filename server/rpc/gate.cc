#include "server/rpc/gate.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/server_context.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "server/rpc/call_record.h"

namespace graft::rpc {
namespace {

access::Credentials CredentialsOf(const grpc::CallbackServerContext& context) {
  access::Credentials credentials;
  const auto& metadata = context.client_metadata();
  if (const auto found = metadata.find("authorization"); found != metadata.end()) {
    credentials.authorization.assign(found->second.data(), found->second.size());
  }
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return credentials;
  for (const char* property : {GRPC_X509_SAN_PROPERTY_NAME, GRPC_X509_CN_PROPERTY_NAME}) {
    for (const grpc::string_ref& name : auth->FindPropertyValues(property)) {
      credentials.identities.emplace_back(name.data(), name.size());
    }
  }
  return credentials;
}

}  // namespace

absl::Status ShuttingDown() {
  return RetryLater(absl::StatusCode::kUnavailable, "the server is shutting down", absl::Seconds(1));
}

absl::Status RequestQueueFull() {
  return RetryLater(absl::StatusCode::kResourceExhausted, "the server's request queue is full",
                    absl::Milliseconds(250));
}

bool Gate::draining() const {
  absl::MutexLock lock(&mutex_);
  return draining_;
}

bool Gate::serving() const {
  absl::MutexLock lock(&mutex_);
  return serving_;
}

void Gate::StopServing() {
  absl::MutexLock lock(&mutex_);
  serving_ = false;
}

absl::Status Gate::Admit(const grpc::CallbackServerContext& context, CallShape shape,
                         const google::protobuf::Message* request, CallRecord& record) {
  return draining() ? ShuttingDown() : Identify(context, shape, request, record);
}

absl::Status Gate::Identify(const grpc::CallbackServerContext& context, CallShape shape,
                            const google::protobuf::Message* request, CallRecord& record) {
  if (guard_ == nullptr) {
    record.SetCaller({.principal = {std::shared_ptr<const access::Principal>(), &access::Anonymous()}});
    return absl::OkStatus();
  }
  std::shared_ptr<const access::Principal> denied;
  absl::StatusOr<access::Caller> caller =
      guard_->Admit(CredentialsOf(context), record.method(), shape == CallShape::kStream, &denied);
  if (caller.ok()) {
    record.SetCaller(*std::move(caller));
    return absl::OkStatus();
  }
  if (denied != nullptr) {
    record.SetCaller({.principal = denied});
    auto resources = request == nullptr ? std::vector<std::string>() : access::ResourcesIn(record.method(), *request);
    const bool queued = requests_->TryRun(
        [guard = guard_, denied, method = record.method(), resources = std::move(resources), why = caller.status(),
         id = record.request_id()]() mutable { guard->RecordDenial(*denied, method, std::move(resources), why, id); });
    if (!queued) {
      spdlog::error("the audit log lacks a denial of {} to {}", record.method(), denied->name);
      return RequestQueueFull();
    }
  }
  return caller.status();
}

absl::Status Gate::StillValid(const CallRecord& record) const {
  return guard_ == nullptr ? absl::OkStatus() : guard_->StillValid(record.caller());
}

absl::Status Gate::Authorize(const CallRecord& record, const google::protobuf::Message& message) const {
  if (guard_ == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(StillValid(record));
  return guard_->Authorize(record.principal(), record.method(), message, record.request_id());
}

absl::Status Gate::CheckNames(const CallRecord& record, const google::protobuf::Message& message) const {
  if (guard_ == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(StillValid(record));
  return guard_->CheckNames(record.principal(), record.method(), message);
}

void Gate::Drain() {
  absl::MutexLock lock(&mutex_);
  serving_ = false;
  if (std::exchange(draining_, true)) return;
  for (const auto& [id, listener] : drain_listeners_) listener();
}

int64_t Gate::OnDrain(std::function<void()> listener) {
  absl::MutexLock lock(&mutex_);
  if (draining_) listener();
  drain_listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

void Gate::RemoveDrainListener(int64_t id) {
  absl::MutexLock lock(&mutex_);
  drain_listeners_.erase(id);
}

}  // namespace graft::rpc
