// Features of frozen backbones, computed once per image and kept on disk.
//
// One space per (decode mode, preprocessing and input size, backbone weights digest, cut layer, augmentation, engine
// with version, device type and precision): a folder of append-only files of records (image digest, [dimension]
// float32, checksum). A torn tail after a crash is detected and dropped. Spaces are evicted whole, least recently used
// first, when the cache exceeds its bound.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/engine/engine.h"
#include "core/network/preprocess.h"
#include "core/store/blob_store.h"

namespace graft::features {

struct FeatureProgress {
  int images_done = 0, images_total = 0;
  double images_per_second = 0, seconds_left = 0;
};

struct FeatureMatrix {
  int dimension = 0;
  std::vector<float> values;  // [images, dimension], row-major, in the order asked
  int images_computed = 0, images_from_cache = 0;
};

// One process writes (its own files), others may read. One thread at a time.
class FeatureCache {
 public:
  FeatureCache(std::string root, int64_t max_bytes) : root_(std::move(root)), max_bytes_(max_bytes) {}

  // Features of the images with these digests (encoded bytes in `blobs`). What is not cached is decoded and computed
  // on `lanes` threads, and appended durably in groups as it goes, so that a crash loses seconds, not the phase.
  // `on_progress` is called from this thread about four times a second; `stop` is asked between images and ends the
  // call with Cancelled.
  absl::StatusOr<FeatureMatrix> GetOrCompute(absl::Span<const std::string> digests,
                                             const network::PreprocessSpec& preprocess,
                                             const std::string& weights_sha256, engine::Engine& engine,
                                             store::BlobStore& blobs, int lanes,
                                             const std::function<void(const FeatureProgress&)>& on_progress,
                                             const std::function<bool()>& stop);

 private:
  const std::string root_;
  const int64_t max_bytes_;
};

}  // namespace graft::features
