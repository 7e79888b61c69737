// Sends prepared requests over loopback gRPC at the least cost of its own: one completion thread, no parsing.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace graft::bench {

using Clock = std::chrono::steady_clock;

struct Request {
  std::string method;                                 // "/graft.v1.InferenceService/Classify"
  grpc::ByteBuffer body;                              // copies share the bytes
  std::optional<std::chrono::microseconds> deadline;  // from the start of the call
};

// One call under way, or over.
struct Call {
  grpc::ClientContext context;  // TryCancel may be called from any thread
  grpc::ByteBuffer response;
  grpc::Status status;
  Clock::time_point done_at;
};

// Thread-safe.
class Caller {
 public:
  using Done = std::function<void(const Call&)>;

  // Connections of its own for each channel. Throws std::runtime_error when the server does not answer in 10 s.
  Caller(const std::string& address, int channels);
  // Waits for every call.
  ~Caller();

  // `done` runs on the completion thread and may start the next call.
  std::shared_ptr<Call> Start(const Request& request, Done done);
  int64_t outstanding() const { return outstanding_; }

 private:
  struct Pending;
  void Complete();

  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  std::atomic<uint64_t> next_stub_ = 0;
  std::atomic<int64_t> outstanding_ = 0;
  grpc::CompletionQueue queue_;
  std::thread completion_;
};

}  // namespace graft::bench
