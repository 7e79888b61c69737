// Photos of a data set as batches of a network's input, decoded and augmented ahead on threads of its own.
//
// The batches of an epoch, and every pixel in them, are a function of (photos, options, epoch, order, batch size,
// first) alone: not of threads, prefetching or the cache, nor of what was loaded before. So an epoch that is resumed at
// `first` sees what an undisturbed one sees from there on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/dataset/dataset.h"
#include "core/image/augment.h"
#include "core/image/decode.h"
#include "core/store/blob_store.h"

namespace graft::dataset {

struct LoaderOptions {
  image::StretchTarget target;  // the network's input
  image::AugmentSpec augment;
  uint32_t seed = 0;  // of the augmentation
  // The import has checked these photos already; its limits on bytes may be set higher than Classify's.
  image::DecodeLimits limits = {.max_bytes = 64 << 20};
  int threads = 1;
  // Batches that are ready or under way, the one asked for included. At least one is, whatever its bytes.
  int prefetch_batches = 4;
  int64_t prefetch_bytes = int64_t{256} << 20;
  // Decoded pictures kept in memory, so that later epochs need not decode them: the first ones that fit. A picture has
  // height * width * 3 bytes of the target's, with crops up to four times as many (image::DecodeForAugment).
  int64_t cache_bytes = 0;
};

struct LoadedBatch {
  std::vector<uint8_t> images;  // [count, height, width, 3] RGB
  std::vector<int> labels;      // [count]
  int count = 0;
};

// Since the loader was made.
struct LoaderStats {
  int64_t images = 0;          // loaded, whether they were taken or not
  int64_t images_decoded = 0;  // of them; the others came from the cache
  double busy_seconds = 0;     // of all threads together
  double seconds_waited = 0;   // by Next's caller, for batches that were not ready
  double images_per_second =
      0;  // what the threads reach while nothing makes them wait: images * threads / busy_seconds
  int64_t cached_bytes = 0;
};

// Next and StartEpoch: one thread at a time; stats: any.
class Loader {
 public:
  // `blobs` outlives the loader. InvalidArgument for options out of range. The photos' paths are for errors.
  static absl::StatusOr<std::unique_ptr<Loader>> Create(std::vector<Example> photos, const LoaderOptions& options,
                                                        store::BlobStore* blobs);
  // Waits for the photos in hand, at most one per thread.
  ~Loader();

  int images() const;

  // Begins an epoch (from 1); one under way is given up. `order` holds indices into the photos, each any number of
  // times; batches begin at its position `first` (order.size(): there are none). InvalidArgument for an index or a
  // position that is not there, or a batch size below 1.
  absl::Status StartEpoch(int epoch, std::vector<int64_t> order, int batch_size, int64_t first);

  // The next batch; the last one may be smaller; nothing after it. A photo that cannot be read fails its own batch,
  // after those before it, with its path (InvalidArgument, NotFound, DataLoss); so does every call until the next
  // StartEpoch.
  absl::StatusOr<std::optional<LoadedBatch>> Next();

  LoaderStats stats() const;

 private:
  class Impl;
  explicit Loader(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace graft::dataset
