// Messages both ways: what the caller sends is handled one message after the other on a pool; what the session sends
// is written in order. At most two messages wait unhandled, then gRPC's flow control holds the caller back.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/base/status_from_throw.h"
#include "server/rpc/call_record.h"
#include "server/rpc/gate.h"

namespace graft::rpc {

// The session's way back to the caller. Thread-safe.
template <typename Response>
class BidiSender {
 public:
  virtual ~BidiSender() = default;
  // Queued and written in order; dropped once the stream has ended.
  virtual void Send(Response response) = 0;
  // Nothing waits to be written: what may be left out (progress) need not pile up.
  virtual bool idle() const = 0;
};

// What the server does in one stream. One thread at a time (of the pool).
template <typename Request, typename Response>
class BidiSession {
 public:
  virtual ~BidiSession() = default;
  // True ends the stream OK, after everything sent so far; an error ends it at once.
  virtual absl::StatusOr<bool> OnMessage(Request request) = 0;
  // The caller has gone, or half-closed before the end; no message follows. The error is the stream's.
  virtual absl::Status OnEarlyEnd() = 0;
};

template <typename Request, typename Response>
using SessionFactory =
    std::function<absl::StatusOr<std::unique_ptr<BidiSession<Request, Response>>>(BidiSender<Response>* sender)>;

template <typename Request, typename Response>
class BidiStream final : public grpc::ServerBidiReactor<Request, Response>, private BidiSender<Response> {
 public:
  // `factory` runs on gRPC's thread and must not block. `pool` may be occupied for as long as a message takes.
  static grpc::ServerBidiReactor<Request, Response>* Start(Gate* gate, ThreadPool* pool,
                                                           grpc::CallbackServerContext* context, std::string method,
                                                           const SessionFactory<Request, Response>& factory) {
    auto* stream = new BidiStream(gate, pool, context, std::move(method));
    absl::Status ready = gate->Admit(*context, CallShape::kStream, nullptr, stream->record_);
    if (ready.ok()) {
      auto session = factory(stream);
      ready = session.status();
      if (ready.ok()) stream->session_ = *std::move(session);
    }
    ready.ok() ? stream->ReadNext() : stream->End(ready);
    return stream;
  }

  void OnReadDone(bool ok) override {
    {
      absl::MutexLock lock(&mutex_);
      reading_ = false;
      if (ok) {
        received_.push_back(std::move(incoming_));
      } else {
        reads_done_ = true;
      }
    }
    if (ok) ReadNext();
    Handle();
  }

  void OnWriteDone(bool ok) override {
    {
      absl::MutexLock lock(&mutex_);
      writing_ = false;
      if (!outgoing_.empty()) outgoing_.pop_front();
      if (!ok) outgoing_.clear();
    }
    Advance();
  }

  void OnDone() override { delete this; }

 private:
  static constexpr size_t kMaxWaitingMessages = 2;

  BidiStream(Gate* gate, ThreadPool* pool, grpc::CallbackServerContext* context, std::string method)
      : gate_(gate), pool_(pool), record_(context, std::move(method), gate->metrics()) {}

  void ReadNext() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (reading_ || reads_done_ || result_.has_value() || received_.size() >= kMaxWaitingMessages) return;
      reading_ = true;
      incoming_ = Request();
    }
    this->StartRead(&incoming_);
  }

  // Starts the one handling thread if there is something to handle.
  void Handle() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (handling_ || result_.has_value() || !HasWork()) return;
      handling_ = true;
    }
    if (!pool_->TryRun([this] { HandleAll(); })) Handled(RequestQueueFull());
  }

  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !received_.empty() || reads_done_; }

  void HandleAll() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (true) {
      std::optional<Request> request;
      {
        absl::MutexLock lock(&mutex_);
        if (!HasWork()) {
          handling_ = false;
          return;
        }
        if (!received_.empty()) {
          request = std::move(received_.front());
          received_.pop_front();
        }
      }
      ReadNext();
      const absl::StatusOr<bool> ended = HandleOne(std::move(request));
      if (!ended.ok()) return Handled(ended.status());
      if (*ended) return Handled(absl::OkStatus());
    }
  }

  absl::StatusOr<bool> HandleOne(std::optional<Request> request) {
    return StatusFromThrow(absl::StatusCode::kInternal, record_.method(), [&]() -> absl::StatusOr<bool> {
      if (!request.has_value()) return session_->OnEarlyEnd();
      if (absl::Status authorized = gate_->Authorize(record_, *request); !authorized.ok()) return authorized;
      return session_->OnMessage(*std::move(request));
    });
  }

  // The session is over; what it sent before a good end is still written.
  void Handled(absl::Status result) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      result_ = std::move(result);
    }
    Advance();
  }

  void End(absl::Status result) { Handled(std::move(result)); }

  void Send(Response response) override ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (finished_) return;
      outgoing_.push_back(std::move(response));
    }
    Advance();
  }

  bool idle() const override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return outgoing_.empty();
  }

  // The next write, or Finish when all is said.
  void Advance() ABSL_LOCKS_EXCLUDED(mutex_) {
    const Response* next = nullptr;
    std::optional<absl::Status> result;
    {
      absl::MutexLock lock(&mutex_);
      if (writing_ || finished_) return;
      const bool failed = result_.has_value() && !result_->ok();
      if (!outgoing_.empty() && !failed) {
        writing_ = true;
        next = &outgoing_.front();
      } else if (result_.has_value()) {
        finished_ = true;
        result = result_;
      }
    }
    if (next != nullptr) this->StartWrite(next);
    if (result.has_value()) this->Finish(record_.Close(*result));
  }

  Gate* const gate_;
  ThreadPool* const pool_;
  CallRecord record_;
  std::unique_ptr<BidiSession<Request, Response>> session_;
  Request incoming_;  // gRPC's while reading_

  mutable absl::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool handling_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;  // the front of outgoing_ is gRPC's
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Request> received_ ABSL_GUARDED_BY(mutex_);
  std::deque<Response> outgoing_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> result_ ABSL_GUARDED_BY(mutex_);  // once the session is over
};

}  // namespace graft::rpc
