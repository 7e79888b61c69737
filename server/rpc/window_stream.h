// Messages both ways, many under way at once: each message (after the first, where that only starts the session) is
// answered by one response, whenever it is ready. A message counts until its response has been written; while as many
// count as the window holds nothing is read, so that gRPC's flow control holds the caller back, whether the server is
// slow or the caller does not listen.
//
// BidiStream handles one message after another and may keep a thread for as long as one takes; here nothing waits, no
// thread belongs to a stream, and a half-closed stream goes on until everything is answered.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/status_from_throw.h"
#include "server/rpc/call_record.h"
#include "server/rpc/gate.h"

namespace graft::rpc {

// One message's claim to an answer. Whoever drops the last handle without one ends the stream as Internal, so that no
// caller waits for a lost callback. However a stream ends, the call is over for the server only when the last ticket is
// dropped: until then what the session points to is there. Thread-safe.
template <typename Response>
class WindowTicket {
 public:
  virtual ~WindowTicket() = default;
  // The first one counts. Dropped once the stream has ended.
  virtual void Answer(Response response) = 0;
  // The error is not this message's alone: the stream ends with it, after the answers so far.
  virtual void EndStream(const absl::Status& error) = 0;
};

// What the server does in one stream.
template <typename Request, typename Response>
class WindowSession {
 public:
  using Ticket = std::shared_ptr<WindowTicket<Response>>;

  virtual ~WindowSession() = default;
  // The first message, if the window has a start; on the request pool, so it may read the database. An error ends the
  // stream.
  virtual absl::Status OnStart(Request request) { return absl::UnimplementedError("a stream without a start"); }
  // Each message (after it), one at a time; must not block.
  virtual void OnMessage(Request request, Ticket ticket) = 0;
  // The stream has ended before all was answered (the caller has gone, an error): stop what is under way and drop the
  // tickets. Called at most once, on any thread, at any time.
  virtual void OnAbandoned() = 0;
};

struct Window {
  int messages;
  int64_t bytes;          // the message that reaches it is still read
  bool has_start = true;  // the first message starts the session and has no answer
};

template <typename Request, typename Response>
class WindowStream final : public grpc::ServerBidiReactor<Request, Response>,
                           public std::enable_shared_from_this<WindowStream<Request, Response>> {
 public:
  using Session = WindowSession<Request, Response>;
  // Runs on gRPC's thread and must not block. `deadline` is the call's.
  using Factory = std::function<absl::StatusOr<std::shared_ptr<Session>>(absl::Time deadline)>;

  // At Gate::Drain the stream takes no more messages, answers those under way and ends Unavailable; the caller resumes
  // with the rest elsewhere.
  static grpc::ServerBidiReactor<Request, Response>* Start(Gate* gate, grpc::CallbackServerContext* context,
                                                           std::string method, Window window, const Factory& factory) {
    std::shared_ptr<WindowStream> stream(new WindowStream(gate, context, std::move(method), window));
    stream->self_ = stream;
    absl::Status ready = gate->Admit(*context, CallShape::kStream, nullptr, stream->record_);
    if (ready.ok()) {
      auto session = factory(stream->record_.deadline());
      ready = session.status();
      if (ready.ok()) stream->session_ = *std::move(session);
    }
    if (ready.ok()) {
      stream->drain_listener_ = gate->OnDrain([raw = stream.get()] { raw->Drain(); });
      stream->ReadNext();
    } else {
      stream->End(ready);
    }
    return stream.get();
  }

  void OnReadDone(bool ok) override {
    bool first = false;
    bool over = false;
    {
      absl::MutexLock lock(&mutex_);
      reads_done_ = !ok;
      over = !ok || finished_ || result_.has_value();
      first = !started_;
      if (!over) started_ = true;
      starting_ = first && !over;
      if (over || starting_) reading_ = false;
    }
    if (over) return Advance();
    first ? StartSession() : Take();
  }

  void OnWriteDone(bool ok) override {
    {
      absl::MutexLock lock(&mutex_);
      writing_ = false;
      Forget(outgoing_.front().bytes);
      outgoing_.pop_front();
    }
    if (!ok) return Abandon();
    Advance();
    ReadNext();
  }

  void OnCancel() override { Abandon(); }

  void OnDone() override {
    gate_->RemoveDrainListener(drain_listener_);
    self_.reset();
  }

 private:
  class Ticket final : public WindowTicket<Response> {
   public:
    Ticket(std::shared_ptr<WindowStream> stream, int64_t bytes) : stream_(std::move(stream)), bytes_(bytes) {}
    ~Ticket() override {
      if (!used_) stream_->End(absl::InternalError("the handler let go of a message without an answer"));
      stream_->Dropped();
    }
    void Answer(Response response) override {
      if (!used_.exchange(true)) stream_->Send(std::move(response), bytes_);
    }
    void EndStream(const absl::Status& error) override {
      if (!used_.exchange(true)) stream_->End(error);
    }

   private:
    const std::shared_ptr<WindowStream> stream_;
    const int64_t bytes_;
    std::atomic<bool> used_ = false;
  };

  struct Outgoing {
    Response response;
    int64_t bytes;  // of the message that it answers
  };

  WindowStream(Gate* gate, grpc::CallbackServerContext* context, std::string method, Window window)
      : gate_(gate),
        window_(window),
        record_(context, std::move(method), gate->metrics()),
        started_(!window.has_start) {}

  void ReadNext() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      const bool full = under_way_ >= window_.messages || bytes_under_way_ >= window_.bytes;
      if (reading_ || reads_done_ || starting_ || draining_ || full || result_.has_value()) return;
      reading_ = true;
      incoming_ = Request();
    }
    this->StartRead(&incoming_);
  }

  void StartSession() {
    auto run = [self = this->shared_from_this()] {
      absl::Status started = self->gate_->CheckNames(self->record_, self->incoming_);
      if (started.ok()) {
        started = StatusFromThrow(absl::StatusCode::kInternal, self->record_.method(),
                                  [&] { return self->session_->OnStart(std::move(self->incoming_)); });
      }
      {
        absl::MutexLock lock(&self->mutex_);
        self->starting_ = false;
      }
      if (!started.ok()) return self->End(started);
      self->ReadNext();
      self->Advance();
    };
    if (gate_->requests().TryRun(std::move(run))) return;
    {
      absl::MutexLock lock(&mutex_);
      starting_ = false;
    }
    End(RequestQueueFull());
  }

  void Take() {
    const auto bytes = static_cast<int64_t>(incoming_.ByteSizeLong());
    {
      absl::MutexLock lock(&mutex_);
      ++tickets_;
      ++under_way_;
      bytes_under_way_ += bytes;
    }
    auto ticket = std::make_shared<Ticket>(this->shared_from_this(), bytes);
    absl::Status taken = gate_->CheckNames(record_, incoming_);
    if (taken.ok()) {
      taken = StatusFromThrow(absl::StatusCode::kInternal, record_.method(),
                              [&] { session_->OnMessage(std::move(incoming_), ticket); });
    }
    if (!taken.ok()) return ticket->EndStream(taken);
    {
      absl::MutexLock lock(&mutex_);
      reading_ = false;
    }
    ReadNext();
  }

  void Send(Response response, int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (result_.has_value()) return;
      outgoing_.push_back({std::move(response), bytes});
    }
    Advance();
  }

  void Dropped() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      --tickets_;
    }
    Advance();
  }

  void Forget(int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    --under_way_;
    bytes_under_way_ -= bytes;
  }

  void Drain() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      draining_ = true;
    }
    Advance();
  }

  // The stream ends with `error` once the answers so far are written.
  void End(const absl::Status& error) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (result_.has_value()) return;
      result_ = error;
    }
    if (session_ != nullptr) session_->OnAbandoned();
    Advance();
  }

  // Nobody reads what is still to be said.
  void Abandon() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (!outgoing_.empty()) outgoing_.erase(outgoing_.begin() + (writing_ ? 1 : 0), outgoing_.end());
    }
    const bool late = absl::Now() >= record_.deadline();
    End(late ? absl::DeadlineExceededError("the stream's deadline passed")
             : absl::CancelledError("the caller has gone"));
    Advance();  // also where it was ending already
  }

  // The next write, or Finish when all is said.
  void Advance() ABSL_LOCKS_EXCLUDED(mutex_) {
    const Response* next = nullptr;
    std::optional<absl::Status> result;
    {
      absl::MutexLock lock(&mutex_);
      if (writing_ || finished_) return;
      if (!outgoing_.empty()) {
        writing_ = true;
        next = &outgoing_.front().response;
      } else {
        result = Result();
        finished_ = result.has_value();
      }
    }
    if (next != nullptr) this->StartWrite(next);
    if (result.has_value()) this->Finish(record_.Close(*result));
  }

  // How the stream ends, once it does.
  std::optional<absl::Status> Result() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (starting_ || tickets_ > 0) return std::nullopt;
    if (result_.has_value() || under_way_ > 0) return result_;
    if (reads_done_ && !started_) return InvalidField("message", "the stream ended before its first message");
    if (reads_done_) return absl::OkStatus();
    return draining_ ? std::optional<absl::Status>(ShuttingDown()) : std::nullopt;
  }

  Gate* const gate_;
  const Window window_;
  CallRecord record_;
  std::shared_ptr<Session> session_;
  int64_t drain_listener_ = -1;
  std::shared_ptr<WindowStream> self_;  // until OnDone; a thread that drops a ticket may be in here still
  Request incoming_;                    // gRPC's, and then the taker's, while reading_; or OnStart's while starting_

  absl::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;  // until the message is taken: no other is read over it
  bool reads_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool started_ ABSL_GUARDED_BY(mutex_);           // the first message is here, or there is no start
  bool starting_ ABSL_GUARDED_BY(mutex_) = false;  // and the session is looking at it
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;  // the front of outgoing_ is gRPC's
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  int tickets_ ABSL_GUARDED_BY(mutex_) = 0;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;  // messages taken whose answer has not been written
  int64_t bytes_under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Outgoing> outgoing_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> result_ ABSL_GUARDED_BY(mutex_);  // once it ends early
};

}  // namespace graft::rpc
