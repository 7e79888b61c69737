// Backbone weights out of a Keras .h5 file.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::server {

struct KerasImport {
  // The top stays in: only to check the numbers. Otherwise a file's top is read over.
  bool with_top = false;
};

// Reads the layout that Keras' save_weights wrote before version 3 (and that Keras Applications publishes): a group per
// layer, `layer_names` and `weight_names` attributes, at the root or under `model_weights`. The result is a safetensors
// file of float32 tensors with the names and shapes of network::ExpectedTensors; equal weights give equal bytes.
// InvalidArgument for what is not such a file; DataLoss naming missing, unexpected and misshapen tensors.
absl::StatusOr<std::string> ReadKerasWeights(const std::string& path, absl::string_view backbone,
                                             KerasImport options = {});

}  // namespace graft::server
