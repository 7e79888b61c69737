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
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/engine/engine.h"
#include "core/features/feature_computer.h"
#include "core/features/photo_view.h"
#include "core/network/preprocess.h"
#include "core/store/blob_store.h"

namespace graft::features {

class FeatureSpace;

struct FeatureProgress {
  int images_done = 0, images_total = 0;  // rows of the matrix
  double images_per_second = 0, seconds_left = 0;
};

struct FeatureRequest {
  absl::Span<const std::string> digests;  // of the encoded bytes in `blobs`; one may occur more than once
  PhotoView view;                         // the same of every photo
  network::PreprocessSpec preprocess;
  std::string weights_sha256;
  std::string engine_id;  // engine::EngineId of the device
  int dimension = 0;      // the backbone's feature_dimension
  // Asked at most once, and only if something is not cached: a job on known photos loads no backbone.
  std::function<absl::StatusOr<engine::Engine*>()> engine;
  store::BlobStore* blobs = nullptr;
  int lanes = 1;           // threads that decode and compute
  int memory_divisor = 1;  // so much fewer lanes, and images in a forward pass, than there could be; but one at least
};

struct FeatureMatrix {
  int dimension = 0;
  std::vector<float> values;  // [images, dimension], row-major, in the order asked
  // Rows. An image that occurs twice in the request is computed once and counted with each of its rows.
  int images_computed = 0, images_from_cache = 0;
  ComputeCost cost;
};

// Each process writes its own files; any number may share the root. One thread at a time.
class FeatureCache {
 public:
  FeatureCache(std::string root, int64_t max_bytes);
  ~FeatureCache();

  // Features of the images with these digests. What is not cached is decoded and computed, and appended durably in
  // groups as it goes, so that a crash loses seconds, not the phase. The values do not depend on what was cached.
  // `on_progress` is called from this thread about four times a second while computing; `stop` is asked every 50 ms
  // and ends the call with Cancelled, what was computed being kept.
  absl::StatusOr<FeatureMatrix> GetOrCompute(const FeatureRequest& request,
                                             const std::function<void(const FeatureProgress&)>& on_progress,
                                             const std::function<bool()>& stop);

 private:
  absl::StatusOr<FeatureSpace*> OpenSpace(const FeatureRequest& request);

  const std::string root_;
  const int64_t max_bytes_;
  std::unique_ptr<FeatureSpace> space_;  // the one used last: the next job's, more often than not
};

}  // namespace graft::features
