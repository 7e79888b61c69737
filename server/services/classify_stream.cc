#include "server/services/classify_stream.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "proto/status_codec.h"
#include "server/services/batch_classification.h"
#include "server/services/convert.h"

namespace graft::services {
namespace {

// RESOURCE_EXHAUSTED that goes away by itself; without RetryInfo it is the image's own (it does not fit the device).
std::optional<absl::Duration> DelayAfterRefusal(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return std::nullopt;
  const auto detail = DetailOf(status);
  const auto* retry = detail ? std::get_if<RetryDetail>(&*detail) : nullptr;
  return retry == nullptr ? std::nullopt : std::optional<absl::Duration>(retry->delay);
}

// No other image of this stream would fare better.
bool ConcernsAllItems(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:  // the version has been deleted
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return true;
    default:
      return false;
  }
}

}  // namespace

ClassifyStreamSession::ClassifyStreamSession(inference::Classifier* classifier, registry::Registry* registry,
                                             metrics::ClassifyMetrics* metrics, absl::Time deadline,
                                             std::shared_ptr<const rpc::Slots> streams, std::shared_ptr<void> slot)
    : classifier_(classifier),
      registry_(registry),
      metrics_(metrics),
      deadline_(deadline),
      streams_(std::move(streams)),
      slot_(std::move(slot)) {}

absl::Status ClassifyStreamSession::OnStart(v1::ClassifyStreamRequest request) {
  if (!request.has_start()) return InvalidField("start", "must be the first message");
  RETURN_IF_ERROR(CheckTopK("start.top_k", request.start().top_k()));
  ASSIGN_OR_RETURN(const VersionReference reference,
                   ParseVersionReference("start.model", "models", request.start().model()));
  ASSIGN_OR_RETURN(const int number, registry_->ResolveNumber(reference));
  model_version_ = VersionName("models", reference.name, number);
  top_k_ = request.start().top_k();
  return absl::OkStatus();
}

void ClassifyStreamSession::OnMessage(v1::ClassifyStreamRequest request, Ticket ticket) {
  if (request.has_start()) return ticket->EndStream(InvalidField("start", "must be the first message and no other"));
  if (!request.has_item()) return ticket->EndStream(InvalidField("message", "is not set"));
  auto item = std::make_shared<Item>(Item{.id = request.item().id(),
                                          .image = std::move(*request.mutable_item()->mutable_image()),
                                          .bytes = 0,
                                          .ticket = std::move(ticket),
                                          .arrival = absl::Now()});
  item->bytes = static_cast<int64_t>(item->image.size());
  {
    absl::MutexLock lock(&mutex_);
    if (abandoned_) return;
    waiting_.push_back(std::move(item));
  }
  HandOver();
}

void ClassifyStreamSession::OnAbandoned() {
  std::deque<ItemPointer> dropped;
  {
    absl::MutexLock lock(&mutex_);
    abandoned_ = true;
    dropped.swap(waiting_);
    alarm_.Cancel();
  }
  cancellation_->Cancel();
}

void ClassifyStreamSession::HandOver() {
  const auto self = shared_from_this();  // the last ticket that is dropped may end the stream
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(handing_over_, true)) return;
  }
  while (ItemPointer item = NextWaiting()) {
    if (!TryHandOver(item)) return PutBack(std::move(item));
  }
}

ClassifyStreamSession::ItemPointer ClassifyStreamSession::NextWaiting() {
  absl::MutexLock lock(&mutex_);
  if (waiting_.empty() || ShareIsUsedUp()) {
    handing_over_ = false;
    return nullptr;
  }
  ItemPointer item = std::move(waiting_.front());
  waiting_.pop_front();
  ++in_classifier_;
  bytes_in_classifier_ += item->bytes;
  return item;
}

// One item is always allowed. Whoever has some hears of a greater share when one of them is answered.
bool ClassifyStreamSession::ShareIsUsedUp() const {
  const int streams = std::max(streams_->taken(), 1);
  return in_classifier_ > 0 && (in_classifier_ >= kStreamsInClassifier.messages / streams ||
                                bytes_in_classifier_ >= kStreamsInClassifier.bytes / streams);
}

bool ClassifyStreamSession::TryHandOver(const ItemPointer& item) {
  inference::ClassifyCall call{.model = model_version_,
                               .image = item->image,  // a copy, until it is clear that there will be no second attempt
                               .top_k = top_k_,
                               .deadline = deadline_,
                               .priority = inference::Priority::kBatch,
                               .cancellation = cancellation_};
  classifier_->Classify(std::move(call),
                        [self = shared_from_this(), item](auto result) { self->Finished(item, std::move(result)); });
  absl::MutexLock lock(&mutex_);
  if (std::exchange(item->refused, false)) return false;
  item->handed_over = true;
  item->image = std::string();
  return true;
}

// Whoever hands over next finds it first: when one of this stream's items is answered, or after a while, since the room
// may be taken by others.
void ClassifyStreamSession::PutBack(ItemPointer item) {
  absl::MutexLock lock(&mutex_);
  handing_over_ = false;
  --in_classifier_;
  bytes_in_classifier_ -= item->bytes;
  if (abandoned_) return;
  waiting_.push_front(std::move(item));
  if (std::exchange(alarm_set_, true)) return;
  alarm_.Set(absl::ToChronoTime(absl::Now() + retry_delay_), [weak = weak_from_this()](bool) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    {
      absl::MutexLock lock(&self->mutex_);
      self->alarm_set_ = false;
    }
    self->HandOver();
  });
}

void ClassifyStreamSession::Finished(const ItemPointer& item, absl::StatusOr<inference::Classification> result) {
  const std::optional<absl::Duration> delay = DelayAfterRefusal(result.status());
  {
    absl::MutexLock lock(&mutex_);
    if (delay && !item->handed_over) {
      item->refused = true;
      retry_delay_ = *delay;
      return;
    }
    --in_classifier_;
    bytes_in_classifier_ -= item->bytes;
  }
  Record(metrics_, result);
  Answer(*item, result);
  HandOver();
  item->ticket.reset();  // the classifier may keep the callback for a while
}

void ClassifyStreamSession::Answer(const Item& item, const absl::StatusOr<inference::Classification>& result) {
  if (ConcernsAllItems(result.status())) return item.ticket->EndStream(result.status());
  v1::ClassifyStreamResponse response;
  response.set_id(item.id);
  response.set_model_version(model_version_);
  if (result.ok()) {
    inference::PhaseTimes times = result->times;
    const absl::Duration waited = std::max(absl::Now() - item.arrival - times.total, absl::ZeroDuration());
    times.queue += waited;
    times.total += waited;
    response.mutable_predictions()->Swap(ToProto(*result).mutable_predictions());
    *response.mutable_times() = ToProto(times);
  } else {
    *response.mutable_error() = ToRpcStatus(result.status());
  }
  item.ticket->Answer(std::move(response));
}

}  // namespace graft::services
