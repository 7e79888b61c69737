// Where the trainer gets its images from. Plain C++.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace graft::train {

struct ImageBatch {
  // [count, size, size, 3] RGB; size: the same throughout a run, a multiple of 32, for serving the backbone's input
  // size
  std::vector<uint8_t> images;
  std::vector<int> labels;  // [count], 0 .. classes-1
  int count = 0;
};

// One split's images, numbered 0 .. images()-1, in whatever order they are asked for. The pixels of an image are a pure
// function of (image, epoch), so an epoch that goes on after a stop sees what an undisturbed one does.
// One thread at a time.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  virtual int images() const = 0;
  // True if an image's pixels differ between epochs, as those of augmented images do.
  virtual bool varies() const = 0;

  // Makes Next give the images order[first], order[first + 1], ... of `epoch` (from 1, through all phases), in batches
  // of `batch_size`; the last may be smaller. `order` may leave images out. Drops what an epoch before has left.
  virtual absl::Status StartEpoch(int epoch, std::vector<int64_t> order, int batch_size, int64_t first) = 0;
  // Waits for the next batch; nullopt after the last. Errors: those of reading and decoding.
  virtual absl::StatusOr<std::optional<ImageBatch>> Next() = 0;
};

}  // namespace graft::train
