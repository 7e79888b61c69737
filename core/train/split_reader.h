// One split's images on their way to the layers that train.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/train/activation_store.h"
#include "core/train/batch_source.h"
#include "core/train/trainable_network.h"

namespace graft::train {

struct SplitBatch {
  // One of the two:
  torch::Tensor images;    // [N, size, size, 3] uint8, for which the frozen layers are still to be run
  torch::Tensor boundary;  // what the frozen layers make of them (TrainableNetwork::RunFrozen)
  std::vector<int> labels;
};

// Where the pixels stay the same, an image goes through the frozen layers once in a phase, as far as the store has
// room. It does so alone, so that its activations, to the last bit, do not depend on when that is. One thread at a
// time.
class SplitReader {
 public:
  // What it is given outlives it. `first_number`: of this split's images in `store`, which splits share.
  SplitReader(BatchSource* source, TrainableNetwork* network, ActivationStore* store, int64_t first_number);

  // As BatchSource's. `boundary`: batches are to hold it; the source's images must not vary, and the
  // network is on the CPU. `bf16`: of the frozen
  // layers. The store has been cleared if the network's phase or `bf16` is another than before.
  absl::Status StartEpoch(int epoch, std::vector<int64_t> order, int batch_size, int64_t first, bool boundary,
                          bool bf16);
  // The next batch, of at least one image; Internal if there is none. InvalidArgument for labels that are no classes.
  absl::StatusOr<SplitBatch> Next();

 private:
  absl::StatusOr<SplitBatch> NextImages();
  absl::StatusOr<SplitBatch> NextBoundary();
  absl::StatusOr<torch::Tensor> ActivationOf(int64_t image);
  absl::Status CheckLabels(const ImageBatch& batch) const;
  absl::StatusOr<torch::Tensor> PixelsOf(const ImageBatch& batch);

  BatchSource* const source_;
  TrainableNetwork* const network_;
  ActivationStore* const store_;
  const int64_t first_number_;
  std::vector<int> labels_;  // per image; set where the store has its activation
  int64_t size_ = 0;         // of the images; 0 before the first

  // The epoch under way.
  std::vector<int64_t> order_;
  int batch_size_ = 1;
  size_t next_ = 0;  // position in order_
  bool boundary_ = false, bf16_ = false;
  SplitBatch loaded_;  // images that the store lacks, of which `used_` have been taken
  int64_t used_ = 0;
};

}  // namespace graft::train
