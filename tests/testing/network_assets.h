// Which pretrained file and golden outputs belong to which backbone.
#pragma once

namespace graft::testing {

struct BackboneAsset {
  const char* backbone;
  const char* weights;   // under GRAFT_ASSETS
  const char* features;  // tensor of golden/golden.safetensors
};

constexpr BackboneAsset kBackboneAssets[] = {
    {"mobilenet_v2", "weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
     "mobilenet_v2_features"},
    {"efficientnet_v2_b0", "weights/efficientnetv2-b0_notop.h5", "efficientnetv2_b0_features"},
    {"resnet50_v2", "weights/resnet50v2_synthetic_notop.h5", "resnet50v2_synthetic_features"},
};
constexpr char kMobileNetWithTop[] = "weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5";
constexpr char kGolden[] = "golden/golden.safetensors";

}  // namespace graft::testing
