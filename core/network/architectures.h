// The graphs that FindArchitecture chooses from, one file each.
#pragma once

#include "core/network/architecture.h"

namespace graft::network {

Architecture MobileNetV2(int input_size, bool with_top);  // width 1.0
Architecture EfficientNetV2B0(int input_size, bool with_top);
Architecture ResNet50V2(int input_size, bool with_top);

}  // namespace graft::network
