// Made-up photos in memory, of classes that differ in colour, as a source of training images.
#pragma once

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "core/train/batch_source.h"

namespace graft::testing {

// Photo i has label i % 3, and a noisy background in which red, green or blue is bright. If it varies, its pixels
// depend on the epoch too, as augmented ones do.
class MadePhotos : public train::BatchSource {
 public:
  MadePhotos(int images, int size, uint32_t seed, bool varies = false) : size_(size), seed_(seed), varies_(varies) {
    for (int image = 0; image < images; ++image) labels.push_back(image % 3);
  }

  int images() const override { return static_cast<int>(labels.size()); }
  bool varies() const override { return varies_; }

  absl::Status StartEpoch(int epoch, std::vector<int64_t> order, int batch_size, int64_t first) override {
    epoch_ = epoch;
    order_ = std::move(order);
    batch_size_ = batch_size;
    next_ = static_cast<size_t>(first);
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<train::ImageBatch>> Next() override {
    if (next_ >= order_.size()) return std::optional<train::ImageBatch>();
    train::ImageBatch batch;
    for (; batch.count < batch_size_ && next_ < order_.size(); ++batch.count) Append(order_[next_++], batch);
    images_given += batch.count;
    return batch;
  }

  std::vector<int> labels;  // may be changed before a run
  int images_given = 0;

 private:
  void Append(int64_t image, train::ImageBatch& batch) const {
    std::mt19937 generator(seed_ * 1000003 + static_cast<uint32_t>(image) + (varies_ ? 7919U * epoch_ : 0U));
    for (int value = 0; value < size_ * size_ * 3; ++value) {
      const uint32_t bright = value % 3 == image % 3 ? 120 : 0;
      batch.images.push_back(static_cast<uint8_t>(bright + generator() % 128));
    }
    batch.labels.push_back(labels[static_cast<size_t>(image)]);
  }

  const int size_;
  const uint32_t seed_;
  const bool varies_;
  uint32_t epoch_ = 0;
  std::vector<int64_t> order_;
  int batch_size_ = 1;
  size_t next_ = 0;
};

}  // namespace graft::testing
