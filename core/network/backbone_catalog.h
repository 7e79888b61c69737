// The backbones Graft knows: plain facts, no LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace graft::network {

// In-graph normalisation of uint8 RGB. Source: keras.applications.imagenet_utils.preprocess_input (mode "tf") and
// EfficientNetV2's built-in Rescaling + Normalization.
enum class Normalization {
  kMinusOneToOne,  // x / 127.5 - 1
  kImageNet,       // (x / 255 - mean) / std, mean 0.485 0.456 0.406, std 0.229 0.224 0.225
};
absl::string_view NameOf(Normalization normalization);  // "minus_one_to_one", "imagenet"

struct BackboneFacts {
  std::string name;       // "mobilenet_v2"
  std::string title;      // "MobileNetV2"
  int input_size;         // 224: height and width in pixels
  int feature_dimension;  // after global average pooling
  int64_t parameters;     // without head, batch-norm statistics included, as Keras counts them
  Normalization normalization;
  int article_epochs;  // 10 for mobilenet_v2, else 25
};

absl::Span<const BackboneFacts> Backbones();

// InvalidField("spec.backbone") naming the known ones.
absl::StatusOr<BackboneFacts> FindBackbone(absl::string_view name);

}  // namespace graft::network
