// What the frozen layers made of images, by number: in memory up to a limit, then in a file up to another.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace graft::train {

struct ActivationLimits {
  int64_t memory_bytes = 0, disk_bytes = 0;
};

// Nothing is evicted for something newer: every epoch reads everything once, so what came first is worth as much as
// what comes later. One thread at a time.
class ActivationStore {
 public:
  // The file is made at `path` when it is needed and has no name after that: it ends with the process at the latest.
  ActivationStore(const ActivationLimits& limits, std::string path);
  ~ActivationStore();
  ActivationStore(const ActivationStore&) = delete;
  ActivationStore& operator=(const ActivationStore&) = delete;

  // Keeps a copy if there is room. activation: [1, C, H, W] on the CPU; all between two Clears have one shape and type.
  // A file that cannot be written, or no further, counts as full.
  void Put(int64_t number, const torch::Tensor& activation);
  bool Has(int64_t number) const { return in_memory_.contains(number) || on_disk_.contains(number); }
  // Has(number). The values of what was put, channels last. DataLoss if the file cannot be read.
  absl::StatusOr<torch::Tensor> Get(int64_t number) const;
  void Clear();

  int64_t memory_bytes() const { return memory_bytes_; }
  int64_t disk_bytes() const { return disk_bytes_; }

 private:
  bool Spill(const torch::Tensor& activation);

  const ActivationLimits limits_;
  const std::string path_;
  std::unordered_map<int64_t, torch::Tensor> in_memory_;
  std::unordered_map<int64_t, int64_t> on_disk_;  // number to position in the file
  torch::Tensor like_;                            // of the shape, type and strides of all
  int64_t memory_bytes_ = 0, disk_bytes_ = 0;
  int descriptor_ = -1;
  bool disk_failed_ = false;
};

}  // namespace graft::train
