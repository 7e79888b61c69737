#include "core/network/architecture.h"

#include "core/base/status_macros.h"
#include "core/network/architectures.h"
#include "core/network/backbone_catalog.h"

namespace graft::network {

absl::StatusOr<Architecture> FindArchitecture(absl::string_view backbone, bool with_top) {
  ASSIGN_OR_RETURN(const BackboneFacts facts, FindBackbone(backbone));
  if (facts.name == "mobilenet_v2") return MobileNetV2(facts.input_size, with_top);
  if (facts.name == "efficientnet_v2_b0") return EfficientNetV2B0(facts.input_size, with_top);
  if (facts.name == "resnet50_v2") return ResNet50V2(facts.input_size, with_top);
  return absl::InternalError("backbone '" + facts.name + "' is in the catalog but has no architecture");
}

int64_t MultiplyAccumulates(const Architecture& architecture) {
  int64_t total = 0;
  for (const Layer& layer : architecture.layers) {
    if (const auto* convolution = std::get_if<Convolution>(&layer.operation)) {
      const int64_t pixels = int64_t{layer.size} * layer.size;
      const int64_t inputs = convolution->depthwise ? 1 : convolution->in;
      total += pixels * convolution->out * inputs * convolution->kernel * convolution->kernel;
    }
    if (const auto* dense = std::get_if<Dense>(&layer.operation)) total += int64_t{dense->in} * dense->out;
  }
  return total;
}

}  // namespace graft::network
