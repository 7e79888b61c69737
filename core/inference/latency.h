// How long a version takes to answer, measured with a classifier as it stands.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "core/inference/classifier.h"

namespace graft::inference {

// Classifier::Load, waiting on the calling thread until the version could answer at once. DeadlineExceeded or Cancelled
// (`cancellation` may be null) when that comes first: the load goes on by itself.
absl::Status LoadNow(Classifier& classifier, const std::string& model, absl::Time deadline,
                     const std::shared_ptr<Cancellation>& cancellation);

inline constexpr int kLatencyBatch = 32;

// From pixels to labels, without decoding; medians over rounds. A batch is that many images handed over at once, until
// the last one is answered.
struct Latency {
  absl::Duration batch_1, batch_32;
};

// Loads the version, then classifies made-up pictures of input_size x input_size at Priority::kBatch, so that
// interactive requests go first: what else the classifier does shows in the result. Takes some 3 seconds and at most
// `deadline`; waits on the calling thread. Errors are the classifier's, Cancelled once `cancellation` (may be null) is.
absl::StatusOr<Latency> MeasureLatency(Classifier& classifier, const std::string& model, int input_size,
                                       absl::Time deadline, const std::shared_ptr<Cancellation>& cancellation);

}  // namespace graft::inference
