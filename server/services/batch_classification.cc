#include "server/services/batch_classification.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "proto/status_codec.h"
#include "server/services/convert.h"

namespace graft::services {
namespace {

bool IsTheImagesOwn(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument || status.code() == absl::StatusCode::kResourceExhausted;
}

// Gathers the answers of one batch. Thread-safe.
class Gathering {
 public:
  Gathering(BatchCall call, std::function<void(absl::Status)> done)
      : call_(std::move(call)), done_(std::move(done)), missing_(call_.request->images_size()) {
    for (int i = 0; i < missing_; ++i) call_.response->add_results();
  }
  const BatchCall& call() const { return call_; }

  void Take(int index, absl::StatusOr<inference::Classification> result) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      Store(*call_.response->mutable_results(index), result);
      if (--missing_ > 0) return;
      Complete();
    }
    done_(failure_of_call());
  }

 private:
  void Store(v1::ClassifyBatchResponse::Result& out, const absl::StatusOr<inference::Classification>& result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (result.ok()) {
      *out.mutable_predictions() = std::move(*ToProto(*result).mutable_predictions());
      longest_.decode = std::max(longest_.decode, result->times.decode);
      longest_.queue = std::max(longest_.queue, result->times.queue);
      longest_.forward = std::max(longest_.forward, result->times.forward);
    } else if (IsTheImagesOwn(result.status())) {
      *out.mutable_error() = ToRpcStatus(result.status());
    } else {
      failure_.Update(result.status());
    }
  }

  void Complete() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    longest_.total = absl::Now() - start_;
    call_.response->set_model_version(call_.model_version);
    *call_.response->mutable_times() = ToProto(longest_);
  }

  absl::Status failure_of_call() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return failure_;
  }

  const BatchCall call_;
  const std::function<void(absl::Status)> done_;
  const absl::Time start_ = absl::Now();
  absl::Mutex mutex_;
  int missing_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  inference::PhaseTimes longest_ ABSL_GUARDED_BY(mutex_);  // images run side by side, so phases overlap
};

}  // namespace

absl::Status CheckTopK(absl::string_view field, int top_k) {
  if (top_k >= 0 && top_k <= 1000) return absl::OkStatus();
  return InvalidField(field, "must be 1 to 1000, or 0 for 5");
}

void Record(metrics::ClassifyMetrics* metrics, const absl::StatusOr<inference::Classification>& result) {
  if (metrics == nullptr) return;
  if (result.ok()) {
    metrics->Answered(result->times.decode, result->times.queue, result->times.forward, result->times.total);
  } else {
    metrics->Failed(result.status().code());
  }
}

void ClassifyAll(inference::Classifier* classifier, metrics::ClassifyMetrics* metrics, BatchCall call,
                 std::function<void(absl::Status)> done) {
  const int images = call.request->images_size();
  auto gathering = std::make_shared<Gathering>(std::move(call), std::move(done));
  for (int i = 0; i < images; ++i) {
    // The request is gone once the last answer is in, which cannot be before this loop asked for it.
    const BatchCall& batch = gathering->call();
    inference::ClassifyCall one{.model = batch.model_version,
                                .image = batch.request->images(i),
                                .top_k = batch.request->top_k(),
                                .deadline = batch.deadline,
                                .cancellation = batch.cancellation};
    classifier->Classify(std::move(one), [gathering, metrics, i](absl::StatusOr<inference::Classification> result) {
      Record(metrics, result);
      gathering->Take(i, std::move(result));
    });
  }
}

}  // namespace graft::services
