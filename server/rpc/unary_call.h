// One request, one response.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "server/rpc/call_record.h"
#include "server/rpc/gate.h"

namespace graft::rpc {

// What a call that gives no deadline, or a later one, has.
inline constexpr absl::Duration kMaxUnaryTime = absl::Seconds(60);

// A call that somebody will Finish, on any thread; request and response stay valid until then. Whoever drops the last
// handle without it ends the call as Internal, so that no caller waits for a lost callback.
class UnaryCall {
 public:
  UnaryCall(grpc::ServerUnaryReactor* reactor, grpc::CallbackServerContext* context, std::string method, Gate* gate);
  ~UnaryCall();
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  // The first one counts.
  void Finish(const absl::Status& status);

  absl::Time deadline() const { return std::min(record_.deadline(), record_.start() + kMaxUnaryTime); }
  const std::string& method() const { return record_.method(); }
  const access::Principal& principal() const { return record_.principal(); }
  CallRecord& record() { return record_; }
  logging::Fields LogFields() const { return record_.LogFields(); }
  // Cancelled when the caller has gone or its deadline has passed.
  const std::shared_ptr<Cancellation>& cancellation() const { return cancellation_; }

 private:
  grpc::ServerUnaryReactor* const reactor_;  // lives until Finish
  CallRecord record_;
  std::atomic<bool> finished_ = false;
  const std::shared_ptr<Cancellation> cancellation_ = std::make_shared<Cancellation>();
};
using Call = std::shared_ptr<UnaryCall>;

// Runs `handler` on the request pool and finishes with what it returns; a throw is Internal.
// Errors before it runs: ShuttingDown, RequestQueueFull, DeadlineExceeded, Cancelled, and the gate's.
grpc::ServerUnaryReactor* Unary(Gate* gate, grpc::CallbackServerContext* context,
                                const google::protobuf::Message* request, std::string method,
                                std::function<absl::Status()> handler);
// The same for one whose answer depends on who calls.
grpc::ServerUnaryReactor* Unary(Gate* gate, grpc::CallbackServerContext* context,
                                const google::protobuf::Message* request, std::string method,
                                std::function<absl::Status(const access::Principal&)> handler);

// Runs `handler` at once, on gRPC's thread: it must not block, and arranges for call->Finish. For calls that change
// nothing and name no job.
grpc::ServerUnaryReactor* AsyncUnary(Gate* gate, grpc::CallbackServerContext* context,
                                     const google::protobuf::Message* request, std::string method,
                                     std::function<void(Call)> handler);

// Runs `handler` on the request pool (it may read the database first) and leaves Finish to what it starts.
grpc::ServerUnaryReactor* AsyncUnaryOnPool(Gate* gate, grpc::CallbackServerContext* context,
                                           const google::protobuf::Message* request, std::string method,
                                           std::function<void(Call)> handler);

// Runs `handler` at once, on gRPC's thread, also while draining: for questions about the server itself. It must not
// block.
grpc::ServerUnaryReactor* Probe(Gate* gate, grpc::CallbackServerContext* context, std::string method,
                                const std::function<void()>& handler);

}  // namespace graft::rpc
