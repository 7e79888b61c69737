#include "core/train/split_reader.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace graft::train {

SplitReader::SplitReader(BatchSource* source, TrainableNetwork* network, ActivationStore* store, int64_t first_number)
    : source_(source),
      network_(network),
      store_(store),
      first_number_(first_number),
      labels_(static_cast<size_t>(source->images())) {}

absl::Status SplitReader::StartEpoch(int epoch, std::vector<int64_t> order, int batch_size, int64_t first,
                                     bool boundary, bool bf16) {
  order_ = std::move(order);
  batch_size_ = batch_size;
  next_ = static_cast<size_t>(first);
  boundary_ = boundary;
  bf16_ = bf16;
  loaded_ = {};
  used_ = 0;
  if (!boundary) return source_->StartEpoch(epoch, order_, batch_size, first);
  std::vector<int64_t> missing;
  std::copy_if(order_.begin() + first, order_.end(), std::back_inserter(missing),
               [this](int64_t image) { return !store_->Has(first_number_ + image); });
  return missing.empty() ? absl::OkStatus() : source_->StartEpoch(epoch, std::move(missing), batch_size, 0);
}

absl::StatusOr<SplitBatch> SplitReader::Next() {
  return boundary_ ? NextBoundary() : NextImages();
}

absl::StatusOr<SplitBatch> SplitReader::NextImages() {
  ASSIGN_OR_RETURN(std::optional<ImageBatch> batch, source_->Next());
  if (!batch || batch->count < 1) return absl::InternalError("the source has fewer images than it was asked for");
  RETURN_IF_ERROR(CheckLabels(*batch));
  SplitBatch result;
  ASSIGN_OR_RETURN(result.images, PixelsOf(*batch));
  result.labels = std::move(batch->labels);
  return result;
}

absl::StatusOr<SplitBatch> SplitReader::NextBoundary() {
  SplitBatch batch;
  std::vector<torch::Tensor> activations;
  for (; activations.size() < static_cast<size_t>(batch_size_) && next_ < order_.size(); ++next_) {
    const int64_t image = order_[next_];
    ASSIGN_OR_RETURN(torch::Tensor activation, ActivationOf(image));
    activations.push_back(std::move(activation));
    batch.labels.push_back(labels_[static_cast<size_t>(image)]);
  }
  if (activations.empty()) return absl::InternalError("no image is left of the epoch");
  batch.boundary = torch::cat(activations);
  return batch;
}

// [1, C, H, W]
absl::StatusOr<torch::Tensor> SplitReader::ActivationOf(int64_t image) {
  const int64_t number = first_number_ + image;
  if (store_->Has(number)) return store_->Get(number);
  if (used_ == static_cast<int64_t>(loaded_.labels.size())) {
    ASSIGN_OR_RETURN(loaded_, NextImages());
    used_ = 0;
  }
  labels_[static_cast<size_t>(image)] = loaded_.labels[static_cast<size_t>(used_)];
  const torch::Tensor pixels = loaded_.images.slice(0, used_, used_ + 1);
  ++used_;
  const torch::Tensor activation = network_->RunFrozen(network_->Normalize(pixels), bf16_);
  store_->Put(number, activation);
  return activation;
}

absl::Status SplitReader::CheckLabels(const ImageBatch& batch) const {
  const auto outside = [this](int label) { return label < 0 || label >= network_->classes(); };
  if (static_cast<int>(batch.labels.size()) == batch.count &&
      std::none_of(batch.labels.begin(), batch.labels.end(), outside)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", batch.count, " labels in 0 .. ", network_->classes() - 1, " for as many images"));
}

absl::StatusOr<torch::Tensor> SplitReader::PixelsOf(const ImageBatch& batch) {
  constexpr int64_t kStride = 32;  // of the backbones: their padding is that of sizes that it divides
  const auto bytes = static_cast<int64_t>(batch.images.size());
  if (size_ == 0) size_ = std::llround(std::sqrt(static_cast<double>(bytes) / (3.0 * batch.count)));
  if (size_ == 0 || size_ % kStride != 0 || bytes != batch.count * size_ * size_ * 3) {
    return absl::InternalError(absl::StrCat(bytes, " bytes are not ", batch.count,
                                            " square RGB images of one size throughout, a multiple of ", kStride));
  }
  return torch::from_blob(const_cast<uint8_t*>(batch.images.data()), {batch.count, size_, size_, 3}, torch::kUInt8)
      .clone();
}

}  // namespace graft::train
