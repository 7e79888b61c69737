// Computes features of stored photos on several threads.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/engine/engine.h"
#include "core/features/photo_view.h"
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

// What computing took, of all lanes together: which of the two steps is the narrow one.
struct ComputeCost {
  int images = 0, lanes = 0;
  double decode_seconds = 0;   // reading, decoding and augmenting
  double forward_seconds = 0;  // in Engine::Run, waiting for other lanes' passes included

  ComputeCost& operator+=(const ComputeCost& other);
  // What the lanes reach if they do nothing else; 0 where nothing was computed.
  double decoded_per_second() const;
  double forwarded_per_second() const;
};

// Decodes the photos with these digests and runs them through the engine, on `lanes` threads, in the groups that the
// engine prefers, and adds to `cost`. InvalidArgument, NotFound or DataLoss names the photo that cannot be used.
absl::Status ComputeFeatures(absl::Span<const std::string> digests, const PhotoView& view,
                             const network::PreprocessSpec& preprocess, engine::Engine& engine, store::BlobStore& blobs,
                             int lanes, const ComputeObserver& observer, ComputeCost& cost);

}  // namespace graft::features
