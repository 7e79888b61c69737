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

// Both are divided by memory_divisor, and are 1 at least: less memory, less speed, the same features.
struct ComputeWidth {
  int lanes = 1;  // threads; each has a group of as many images as the engine prefers
  int memory_divisor = 1;
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

// Decodes the photos with these digests, runs them through the engine, and adds to `cost`. InvalidArgument, NotFound or
// DataLoss names the photo that cannot be used. ResourceExhausted: out of memory.
absl::Status ComputeFeatures(absl::Span<const std::string> digests, const PhotoView& view,
                             const network::PreprocessSpec& preprocess, engine::Engine& engine, store::BlobStore& blobs,
                             const ComputeWidth& width, const ComputeObserver& observer, ComputeCost& cost);

}  // namespace graft::features
