#include "server/rpc/unary_call.h"

#include <utility>

#include "absl/time/clock.h"
#include "core/base/status_from_throw.h"

namespace graft::rpc {
namespace {

// Only weakly tied to the call: a call that nobody holds any more must end.
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  void Bind(std::weak_ptr<UnaryCall> call) { call_ = std::move(call); }
  void OnCancel() override {
    if (Call call = call_.lock()) call->cancellation()->Cancel();
  }
  void OnDone() override { delete this; }

 private:
  std::weak_ptr<UnaryCall> call_;
};

absl::Status StillWanted(const UnaryCall& call) {
  if (absl::Now() >= call.deadline()) return absl::DeadlineExceededError("the deadline passed while the call waited");
  if (call.cancellation()->cancelled()) return absl::CancelledError("the caller has gone");
  return absl::OkStatus();
}

void RunGuarded(const std::function<void(Call)>& handler, const Call& call) {
  const logging::Context context(call->LogFields());
  const absl::Status thrown = StatusFromThrow(absl::StatusCode::kInternal, call->method(), [&] { handler(call); });
  if (!thrown.ok()) call->Finish(thrown);
}

std::pair<grpc::ServerUnaryReactor*, Call> Begin(Gate* gate, grpc::CallbackServerContext* context, std::string method) {
  auto* reactor = new UnaryReactor;
  auto call = std::make_shared<UnaryCall>(reactor, context, std::move(method), gate);
  reactor->Bind(call);
  return {reactor, std::move(call)};
}

}  // namespace

UnaryCall::UnaryCall(grpc::ServerUnaryReactor* reactor, grpc::CallbackServerContext* context, std::string method,
                     Gate* gate)
    : reactor_(reactor), record_(context, std::move(method), gate->metrics()) {}

UnaryCall::~UnaryCall() {
  Finish(absl::InternalError("the handler let go of the call without an answer"));
}

void UnaryCall::Finish(const absl::Status& status) {
  if (finished_.exchange(true)) return;
  reactor_->Finish(record_.Close(status));
}

grpc::ServerUnaryReactor* AsyncUnary(Gate* gate, grpc::CallbackServerContext* context,
                                     const google::protobuf::Message* request, std::string method,
                                     std::function<void(Call)> handler) {
  auto [reactor, call] = Begin(gate, context, std::move(method));
  absl::Status admitted = gate->Admit(*context, CallShape::kUnary, request, call->record());
  if (admitted.ok()) admitted = gate->CheckNames(call->record(), *request);
  if (!admitted.ok()) {
    call->Finish(admitted);
  } else {
    RunGuarded(handler, call);
  }
  return reactor;
}

grpc::ServerUnaryReactor* AsyncUnaryOnPool(Gate* gate, grpc::CallbackServerContext* context,
                                           const google::protobuf::Message* request, std::string method,
                                           std::function<void(Call)> handler) {
  auto [reactor, begun] = Begin(gate, context, std::move(method));
  const Call call = std::move(begun);
  if (const absl::Status admitted = gate->Admit(*context, CallShape::kUnary, request, call->record()); !admitted.ok()) {
    call->Finish(admitted);
    return reactor;
  }
  const auto authorized = [gate, request, handler = std::move(handler)](Call call) {
    const absl::Status status = gate->Authorize(call->record(), *request);
    status.ok() ? handler(std::move(call)) : call->Finish(status);
  };
  const bool queued = gate->requests().TryRun([call, authorized] {
    if (absl::Status wanted = StillWanted(*call); !wanted.ok()) {
      call->Finish(wanted);
    } else {
      RunGuarded(authorized, call);
    }
  });
  if (!queued) call->Finish(RequestQueueFull());
  return reactor;
}

grpc::ServerUnaryReactor* Unary(Gate* gate, grpc::CallbackServerContext* context,
                                const google::protobuf::Message* request, std::string method,
                                std::function<absl::Status()> handler) {
  return AsyncUnaryOnPool(gate, context, request, std::move(method),
                          [handler = std::move(handler)](Call call) { call->Finish(handler()); });
}

grpc::ServerUnaryReactor* Unary(Gate* gate, grpc::CallbackServerContext* context,
                                const google::protobuf::Message* request, std::string method,
                                std::function<absl::Status(const access::Principal&)> handler) {
  return AsyncUnaryOnPool(gate, context, request, std::move(method),
                          [handler = std::move(handler)](Call call) { call->Finish(handler(call->principal())); });
}

grpc::ServerUnaryReactor* Probe(Gate* gate, grpc::CallbackServerContext* context, std::string method,
                                const std::function<void()>& handler) {
  auto [reactor, call] = Begin(gate, context, std::move(method));
  absl::Status status = gate->Identify(*context, CallShape::kUnary, nullptr, call->record());
  if (status.ok()) status = StatusFromThrow(absl::StatusCode::kInternal, call->method(), [&] { handler(); });
  call->Finish(status);
  return reactor;
}

}  // namespace graft::rpc
