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
#include "server/rpc/slots.h"
#include "server/rpc/window_stream.h"

namespace graft::services {

// Streams at a time, and what each may have under way: the server holds at most their product, plus the message that
// each is reading.
inline constexpr int kMaxClassifyStreams = 16;
inline constexpr rpc::Window kClassifyWindow = {.messages = 32, .bytes = 32 << 20};
// What all of them may have in the classifier, in equal shares, each at least one item: half of its capacity
// (ClassifierOptions), since a stream waits for room as long as it takes and callers that wait for one answer do not.
inline constexpr rpc::Window kStreamsInClassifier = {.messages = 128, .bytes = 128 << 20};

// Thread-safe. What it points to outlives it; `metrics` may be null. `streams` counts those under way, `slot` is this
// one's.
class ClassifyStreamSession final : public rpc::WindowSession<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>,
                                    public std::enable_shared_from_this<ClassifyStreamSession> {
 public:
  ClassifyStreamSession(inference::Classifier* classifier, registry::Registry* registry,
                        metrics::ClassifyMetrics* metrics, absl::Time deadline,
                        std::shared_ptr<const rpc::Slots> streams, std::shared_ptr<void> slot);

  absl::Status OnStart(v1::ClassifyStreamRequest request) override;
  void OnMessage(v1::ClassifyStreamRequest request, Ticket ticket) override;
  void OnAbandoned() override;

 private:
  struct Item {
    int64_t id;
    std::string image;  // empty once the classifier has it
    int64_t bytes;      // of the image
    Ticket ticket;      // until it is answered
    absl::Time arrival;
    bool handed_over = false;  // the classifier has it
    bool refused = false;      // while it was being handed over: the classifier has no room
  };
  using ItemPointer = std::shared_ptr<Item>;

  // Hands over what waits, oldest first, until the share is used up or the classifier refuses one.
  void HandOver() ABSL_LOCKS_EXCLUDED(mutex_);
  // Counts it as the classifier's. Null when nothing waits or the share is used up; HandOver is over then.
  ItemPointer NextWaiting() ABSL_LOCKS_EXCLUDED(mutex_);
  bool ShareIsUsedUp() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False if the classifier has no room.
  bool TryHandOver(const ItemPointer& item) ABSL_LOCKS_EXCLUDED(mutex_);
  void PutBack(ItemPointer item) ABSL_LOCKS_EXCLUDED(mutex_);
  void Finished(const ItemPointer& item, absl::StatusOr<inference::Classification> result) ABSL_LOCKS_EXCLUDED(mutex_);
  void Answer(const Item& item, const absl::StatusOr<inference::Classification>& result);

  inference::Classifier* const classifier_;
  registry::Registry* const registry_;
  metrics::ClassifyMetrics* const metrics_;
  const absl::Time deadline_;
  const std::shared_ptr<const rpc::Slots> streams_;
  const std::shared_ptr<void> slot_;
  const std::shared_ptr<Cancellation> cancellation_ = std::make_shared<Cancellation>();

  // Constant after OnStart.
  std::string model_version_;
  int top_k_ = 0;

  absl::Mutex mutex_;
  std::deque<ItemPointer> waiting_ ABSL_GUARDED_BY(mutex_);  // oldest first
  bool handing_over_ ABSL_GUARDED_BY(mutex_) = false;        // one thread at a time, so that the order stays
  int in_classifier_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t bytes_in_classifier_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration retry_delay_ ABSL_GUARDED_BY(mutex_);  // as the last refusal asks for
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;
  bool alarm_set_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft::services
