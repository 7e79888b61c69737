// One request, many responses: a source is asked for the next one on the request pool, and one write is under way at
// a time, so a slow reader costs a waiting message and nothing else.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/base/status_from_throw.h"
#include "server/rpc/call_record.h"
#include "server/rpc/gate.h"

namespace graft::rpc {

enum class StreamStep {
  kSend,  // the response is filled in
  kWait,  // nothing now; `wake` tells when to ask again
  kEnd,   // the stream ends OK
};

// Asked by one thread at a time. After its destructor `wake` is no longer called.
template <typename Response>
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  virtual absl::StatusOr<StreamStep> Next(Response* response) = 0;
};

// Made on the request pool, may read the database. `wake` may be called from any thread and never blocks.
template <typename Response>
using SourceFactory = std::function<absl::StatusOr<std::unique_ptr<StreamSource<Response>>>(
    const access::Principal& principal, std::function<void()> wake)>;

template <typename Response>
class ServerStream final : public grpc::ServerWriteReactor<Response> {
 public:
  // Ends Unavailable at Gate::Drain and when the request queue is full; the caller resumes.
  static grpc::ServerWriteReactor<Response>* Start(Gate* gate, grpc::CallbackServerContext* context,
                                                   const google::protobuf::Message* request, std::string method,
                                                   SourceFactory<Response> factory) {
    auto* stream = new ServerStream(gate, context, request, std::move(method), std::move(factory));
    const absl::Status admitted = gate->Admit(*context, CallShape::kStream, request, stream->record_);
    if (!admitted.ok()) {
      stream->End(admitted);
    } else {
      stream->drain_listener_ = gate->OnDrain([stream] { stream->Stop(ShuttingDown()); });
      stream->Wake();
    }
    return stream;
  }

  void OnWriteDone(bool ok) override {
    {
      absl::MutexLock lock(&mutex_);
      busy_ = false;
    }
    ok ? Wake() : Stop(absl::CancelledError("the caller has gone"));
  }
  void OnCancel() override { Stop(absl::CancelledError("the caller has gone")); }
  void OnDone() override {
    gate_->RemoveDrainListener(drain_listener_);
    delete this;
  }

 private:
  ServerStream(Gate* gate, grpc::CallbackServerContext* context, const google::protobuf::Message* request,
               std::string method, SourceFactory<Response> factory)
      : gate_(gate),
        request_(request),
        factory_(std::move(factory)),
        record_(context, std::move(method), gate->metrics()) {}

  // Asks the source again, now or when the step or write under way has ended.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      woken_ = true;
      if (busy_ || ended_) return;
      busy_ = true;
      woken_ = false;
    }
    if (!gate_->requests().TryRun([this] { Step(); })) Idle(RequestQueueFull());
  }

  // The stream ends with `reason` as soon as nothing is under way.
  void Stop(absl::Status reason) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (ended_) return;
      if (stop_reason_.ok()) stop_reason_ = std::move(reason);
      if (busy_) return;
      ended_ = true;
    }
    Close();
  }

  void Step() {
    absl::StatusOr<StreamStep> step =
        StatusFromThrow(absl::StatusCode::kInternal, record_.method(), [this] { return AskSource(); });
    if (step.ok() && *step == StreamStep::kSend && Running()) {
      this->StartWrite(&response_);  // still busy until OnWriteDone
    } else if (step.ok() && *step != StreamStep::kEnd) {
      Idle(absl::OkStatus());
    } else {
      End(step.status());
    }
  }

  absl::StatusOr<StreamStep> AskSource() {
    absl::Status allowed = source_ == nullptr ? gate_->Authorize(record_, *request_) : gate_->StillValid(record_);
    if (!allowed.ok()) return allowed;
    if (source_ == nullptr) {
      auto source = factory_(record_.principal(), [this] { Wake(); });
      if (!source.ok()) return source.status();
      source_ = *std::move(source);
    }
    response_.Clear();
    return source_->Next(&response_);
  }

  bool Running() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return stop_reason_.ok();
  }

  // The step is over without a write.
  void Idle(absl::Status failure) ABSL_LOCKS_EXCLUDED(mutex_) {
    bool again = false;
    bool close = false;
    {
      absl::MutexLock lock(&mutex_);
      if (stop_reason_.ok()) stop_reason_ = std::move(failure);
      busy_ = false;
      close = ended_ = !stop_reason_.ok();
      again = woken_ && !close;
    }
    if (close) Close();
    if (again) Wake();
  }

  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      ended_ = true;
      if (stop_reason_.ok()) stop_reason_ = status;
    }
    Close();
  }

  // Once: by whoever set ended_.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::Status status;
    {
      absl::MutexLock lock(&mutex_);
      status = stop_reason_;
    }
    this->Finish(record_.Close(status));
  }

  Gate* const gate_;
  const google::protobuf::Message* const request_;  // gRPC's, as long as the call
  const SourceFactory<Response> factory_;
  CallRecord record_;
  int64_t drain_listener_ = -1;

  // Touched by the one who is busy.
  Response response_;

  mutable absl::Mutex mutex_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;  // a step or a write is under way
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status stop_reason_ ABSL_GUARDED_BY(mutex_);

  // Last, so first destroyed: its destructor ends the calls to Wake.
  std::unique_ptr<StreamSource<Response>> source_;
};

}  // namespace graft::rpc
