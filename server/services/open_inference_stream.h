// One ModelStreamInfer: each request an inference of its own, many under way, answered in the order they came.
#pragma once

#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "core/base/thread_pool.h"
#include "inference/grpc_service.pb.h"
#include "server/rpc/window_stream.h"
#include "server/services/open_inference_infer.h"

namespace graft::services {

// Streams at a time, and what each may have under way.
inline constexpr int kMaxInferStreams = 32;
inline constexpr rpc::Window kInferWindow = {.messages = 32, .bytes = 32 << 20, .has_start = false};

// Thread-safe. What it points to outlives it; requests are read on `pool`. `slot` is held until the stream is
// forgotten.
class InferStreamSession final
    : public rpc::WindowSession<::inference::ModelInferRequest, ::inference::ModelStreamInferResponse>,
      public std::enable_shared_from_this<InferStreamSession> {
 public:
  InferStreamSession(OpenInference* inference, ThreadPool* pool, absl::Time deadline, std::shared_ptr<void> slot)
      : inference_(inference), pool_(pool), deadline_(deadline), slot_(std::move(slot)) {}

  void OnMessage(::inference::ModelInferRequest request, Ticket ticket) override;
  void OnAbandoned() override;

 private:
  struct Item {
    ::inference::ModelInferRequest request;
    ::inference::ModelStreamInferResponse response;
    Ticket ticket;
    bool finished = false;
  };
  using ItemPointer = std::shared_ptr<Item>;

  void Infer(const ItemPointer& item);
  void Finished(const ItemPointer& item, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // The one to answer next; null, and nobody answers any more, where that one is not finished.
  ItemPointer NextFinished() ABSL_LOCKS_EXCLUDED(mutex_);

  OpenInference* const inference_;
  ThreadPool* const pool_;
  const absl::Time deadline_;
  const std::shared_ptr<void> slot_;
  const std::shared_ptr<Cancellation> cancellation_ = std::make_shared<Cancellation>();

  absl::Mutex mutex_;
  std::deque<ItemPointer> items_ ABSL_GUARDED_BY(mutex_);  // not answered yet, in the order they came
  bool answering_ ABSL_GUARDED_BY(mutex_) = false;         // some thread is, without the lock
};

}  // namespace graft::services
