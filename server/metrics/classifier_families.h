// What the classifier holds and has refused.
#pragma once

#include "core/inference/classifier.h"
#include "server/metrics/sampled.h"

namespace graft::metrics {

// `requests_refused`: by the pool of requests, which sheds too.
Families ClassifierFamilies(const inference::ClassifierStats& stats, int64_t requests_refused);

}  // namespace graft::metrics
