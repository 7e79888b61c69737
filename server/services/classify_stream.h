// One ClassifyStream: pins the version, hands each image to the classifier, and tries again what an overloaded
// classifier refuses.
#pragma once

#include <grpcpp/alarm.h>

#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "core/inference/classifier.h"
#include "core/registry/registry.h"
#include "graft/v1/inference.pb.h"
#include "server/metrics/classify_metrics.h"
#include "server/rpc/window_stream.h"

namespace graft::services {

// Streams at a time, and what each may have under way: the server holds at most their product, plus the message that
// each is reading.
inline constexpr int kMaxClassifyStreams = 32;
inline constexpr rpc::Window kClassifyWindow = {.messages = 32, .bytes = 32 << 20};

// Thread-safe. What it points to outlives it; `metrics` may be null. `slot` is held until the stream is forgotten.
class ClassifyStreamSession final : public rpc::WindowSession<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>,
                                    public std::enable_shared_from_this<ClassifyStreamSession> {
 public:
  ClassifyStreamSession(inference::Classifier* classifier, registry::Registry* registry,
                        metrics::ClassifyMetrics* metrics, absl::Time deadline, std::shared_ptr<void> slot);

  absl::Status OnStart(v1::ClassifyStreamRequest request) override;
  void OnMessage(v1::ClassifyStreamRequest request, Ticket ticket) override;
  void OnAbandoned() override;

 private:
  struct Item {
    int64_t id;
    std::string image;  // empty once the classifier has it
    Ticket ticket;
    absl::Time arrival;
    bool handed_over = false;  // the classifier has it
    bool refused = false;      // while it was being handed over: the classifier has no room
  };
  using ItemPointer = std::shared_ptr<Item>;

  // Hands over what waits, oldest first, until the classifier refuses one.
  void HandOver() ABSL_LOCKS_EXCLUDED(mutex_);
  // Null when nothing waits; HandOver is over then.
  ItemPointer NextWaiting() ABSL_LOCKS_EXCLUDED(mutex_);
  // False if the classifier has no room.
  bool TryHandOver(const ItemPointer& item) ABSL_LOCKS_EXCLUDED(mutex_);
  void PutBack(ItemPointer item) ABSL_LOCKS_EXCLUDED(mutex_);
  void Finished(const ItemPointer& item, absl::StatusOr<inference::Classification> result) ABSL_LOCKS_EXCLUDED(mutex_);
  void Answer(const Item& item, const absl::StatusOr<inference::Classification>& result);

  inference::Classifier* const classifier_;
  registry::Registry* const registry_;
  metrics::ClassifyMetrics* const metrics_;
  const absl::Time deadline_;
  const std::shared_ptr<void> slot_;
  const std::shared_ptr<Cancellation> cancellation_ = std::make_shared<Cancellation>();

  // Constant after OnStart.
  std::string model_version_;
  int top_k_ = 0;

  absl::Mutex mutex_;
  std::deque<ItemPointer> waiting_ ABSL_GUARDED_BY(mutex_);  // oldest first
  bool handing_over_ ABSL_GUARDED_BY(mutex_) = false;        // one thread at a time, so that the order stays
  absl::Duration retry_delay_ ABSL_GUARDED_BY(mutex_);       // as the last refusal asks for
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;
  bool alarm_set_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft::services
