#include "core/network/backbone_catalog.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"

namespace graft::network {
namespace {

// parameters: model.count_params() of the keras.applications model with include_top=False.
const std::array<BackboneFacts, 3>& Catalog() {
  static const auto& catalog = *new std::array<BackboneFacts, 3>{{
      {.name = "mobilenet_v2",
       .title = "MobileNetV2",
       .input_size = 224,
       .feature_dimension = 1280,
       .parameters = 2'257'984,
       .normalization = Normalization::kMinusOneToOne,
       .article_epochs = 10},
      {.name = "efficientnet_v2_b0",
       .title = "EfficientNetV2-B0",
       .input_size = 224,
       .feature_dimension = 1280,
       .parameters = 5'919'312,
       .normalization = Normalization::kImageNet,
       .article_epochs = 25},
      {.name = "resnet50_v2",
       .title = "ResNet50V2",
       .input_size = 224,
       .feature_dimension = 2048,
       .parameters = 23'564'800,
       .normalization = Normalization::kMinusOneToOne,
       .article_epochs = 25},
  }};
  return catalog;
}

}  // namespace

absl::string_view NameOf(Normalization normalization) {
  switch (normalization) {
    case Normalization::kMinusOneToOne:
      return "minus_one_to_one";
    case Normalization::kImageNet:
      return "imagenet";
  }
  return "unknown";
}

absl::Span<const BackboneFacts> Backbones() {
  return Catalog();
}

absl::StatusOr<BackboneFacts> FindBackbone(absl::string_view name) {
  for (const BackboneFacts& backbone : Catalog()) {
    if (backbone.name == name) return backbone;
  }
  const auto append_name = [](std::string* out, const BackboneFacts& backbone) { absl::StrAppend(out, backbone.name); };
  return InvalidField("spec.backbone", absl::StrCat("unknown backbone \"", name, "\"; choose one of ",
                                                    absl::StrJoin(Catalog(), ", ", append_name)));
}

}  // namespace graft::network
