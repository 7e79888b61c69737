// Heads as tensors of safetensors files.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "core/train/head_trainer.h"
#include "core/weights/safetensors.h"

namespace graft::train {

// Adds `prefix`/kernel and `prefix`/bias; the views live as long as `head`.
void AddHead(const std::string& prefix, const Head& head, std::map<std::string, weights::TensorView>& tensors);

// The head that AddHead added. DataLoss if it is missing or not float32 of these shapes.
absl::StatusOr<Head> TakeHead(const std::string& prefix, int dimension, int classes,
                              const std::map<std::string, weights::TensorView>& tensors);

}  // namespace graft::train
