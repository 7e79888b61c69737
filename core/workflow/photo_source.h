// The photos of a split as the trainer wants them.
#pragma once

#include <memory>
#include <utility>

#include "core/dataset/loader.h"
#include "core/train/batch_source.h"

namespace graft::workflow {

// One thread at a time.
class PhotoSource final : public train::BatchSource {
 public:
  PhotoSource(std::unique_ptr<dataset::Loader> loader, bool varies) : loader_(std::move(loader)), varies_(varies) {}

  int images() const override { return loader_->images(); }
  bool varies() const override { return varies_; }
  absl::Status StartEpoch(int epoch, std::vector<int64_t> order, int batch_size, int64_t first) override {
    return loader_->StartEpoch(epoch, std::move(order), batch_size, first);
  }
  absl::StatusOr<std::optional<train::ImageBatch>> Next() override {
    absl::StatusOr<std::optional<dataset::LoadedBatch>> batch = loader_->Next();
    if (!batch.ok()) return batch.status();
    if (!batch->has_value()) return std::nullopt;
    dataset::LoadedBatch& loaded = **batch;
    return train::ImageBatch{
        .images = std::move(loaded.images), .labels = std::move(loaded.labels), .count = loaded.count};
  }

  dataset::LoaderStats stats() const { return loader_->stats(); }

 private:
  const std::unique_ptr<dataset::Loader> loader_;
  const bool varies_;
};

}  // namespace graft::workflow
