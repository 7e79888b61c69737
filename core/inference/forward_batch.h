// One forward pass for several requests: images of one trunk, each with its own head.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/engine/engine.h"
#include "core/inference/request.h"

namespace graft::inference {

// Runs the requests' inputs through the trunk they share and each one's features through its own head; one answer a
// request, in their order. When the pass fails every request gets its error; a head that does not fit the trunk is
// DataLoss for its own requests. Sets the requests' `forward` to their share of the time. Does not throw.
std::vector<absl::StatusOr<Classification>> RunForward(absl::Span<const RequestPointer> requests, engine::Engine& trunk,
                                                       engine::Cores cores);

}  // namespace graft::inference
