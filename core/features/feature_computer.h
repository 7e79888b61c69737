// Computes features of stored photos on several threads.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/engine/engine.h"
#include "core/network/preprocess.h"
#include "core/store/blob_store.h"

namespace graft::features {

// Both are called on the thread that called ComputeFeatures. A non-OK answer stops the computation with it.
struct ComputeObserver {
  // One image's features, in no particular order; `index` into the digests.
  std::function<absl::Status(int index, absl::Span<const float> values)> computed;
  // At least every 50 ms.
  std::function<absl::Status()> tick;
};

// Decodes the photos with these digests and runs them through the engine, on `lanes` threads, in the groups that the
// engine prefers. InvalidArgument, NotFound or DataLoss names the photo that cannot be used.
absl::Status ComputeFeatures(absl::Span<const std::string> digests, const network::PreprocessSpec& preprocess,
                             engine::Engine& engine, store::BlobStore& blobs, int lanes,
                             const ComputeObserver& observer);

}  // namespace graft::features
