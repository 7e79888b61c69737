// ClassifyBatch: every image a classification of its own, answered together.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/inference/classifier.h"
#include "graft/v1/inference.pb.h"
#include "server/metrics/classify_metrics.h"

namespace graft::services {

struct BatchCall {
  const v1::ClassifyBatchRequest* request;  // valid until done
  v1::ClassifyBatchResponse* response;      // likewise
  std::string model_version;                // pinned: an alias that moves meanwhile does not mix versions
  absl::Time deadline;
  std::shared_ptr<Cancellation> cancellation;
};

// Hands all images to the classifier and calls `done` once, after the last. InvalidArgument and ResourceExhausted are
// an image's own and stand in its result; another error (the model's, the server's, the caller's time) is the call's.
void ClassifyAll(inference::Classifier* classifier, metrics::ClassifyMetrics* metrics, BatchCall call,
                 std::function<void(absl::Status)> done);

// InvalidField for `field` unless it is 1 to 1000, or 0 for the default.
absl::Status CheckTopK(absl::string_view field, int top_k);

// Counts one finished image.
void Record(metrics::ClassifyMetrics* metrics, const absl::StatusOr<inference::Classification>& result);

}  // namespace graft::services
