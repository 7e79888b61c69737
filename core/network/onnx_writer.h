// A backbone as an ONNX model: what OpenVINO compiles and other runtimes read. No LibTorch.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/network/architecture.h"
#include "core/network/backbone_catalog.h"
#include "core/weights/safetensors.h"

namespace graft::network {

// A serialised onnx.ModelProto, operator set 13; equal arguments give equal bytes.
//
//   input   "image"     [N, size, size, 3] uint8 RGB, N free; the normalisation of `facts` is in the graph
//   output  "features"  [N, D] float32
//           and, where `architecture` ends in a Dense layer, its probabilities [N, classes] under its name
//
// Nodes and the values between them have the names of Keras' layers, initializers those of its variables. Batch norms
// are folded, in double precision: into the convolution before, or else into one multiplication and one addition.
// Errors: those of CheckWeights.
absl::StatusOr<std::string> WriteOnnx(const BackboneFacts& facts, const Architecture& architecture,
                                      const weights::Safetensors& weights);

}  // namespace graft::network
