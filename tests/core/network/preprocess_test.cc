#include "core/network/preprocess.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "core/image/resize.h"
#include "core/image/stretched.h"
#include "core/network/backbone_catalog.h"
#include "tests/core/image/made_images.h"
#include "tests/testing/status_matchers.h"

namespace graft::network {
namespace {

using ::graft::testing::StatusIs;
using image::testing::Encode;
using image::testing::Gradient;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ToInputTest, IsTheDecodedPictureStretchedToTheSpec) {
  const image::Image photo = Gradient(100, 60);
  std::vector<uint8_t> expected(32 * 48 * 3);
  image::ResizeBilinear(photo, 32, 48, absl::MakeSpan(expected));
  ASSERT_OK_AND_ASSIGN(const std::vector<uint8_t> input,
                       ToInput(Encode(photo, ".png"), {.height = 32, .width = 48}, {}));
  EXPECT_EQ(input, expected);
}

TEST(ToInputTest, DefaultIsTheArticlesInputSize) {
  ASSERT_OK_AND_ASSIGN(const std::vector<uint8_t> input, ToInput(Encode(Gradient(9, 9), ".bmp"), {}, {}));
  EXPECT_EQ(input.size(), 224u * 224u * 3u);
}

TEST(ToInputTest, ReducesWhereTheSpecSaysScaled) {
  const std::string photo = Encode(Gradient(288, 320), ".jpg");
  for (const auto& [decode, reduction] : {std::pair{kScaledDecode, 4}, std::pair{kFullDecode, 1}}) {
    ASSERT_OK_AND_ASSIGN(const image::StretchedImage stretched,
                         image::DecodeStretched(photo, {}, {.height = 48, .width = 32, .reduce = reduction > 1}));
    EXPECT_EQ(stretched.reduction, reduction);
    ASSERT_OK_AND_ASSIGN(const std::vector<uint8_t> input,
                         ToInput(photo, {.height = 48, .width = 32, .decode = decode}, {}));
    EXPECT_EQ(input, stretched.pixels) << decode;
  }
}

TEST(ToInputTest, RefusesWhatItDoesNotKnow) {
  const std::string photo = Encode(Gradient(9, 9), ".png");
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(ToInput(photo, {.resize = "bicubic"}, {}), StatusIs(kInvalid, HasSubstr("bicubic")));
  EXPECT_THAT(ToInput(photo, {.decode = "half"}, {}),
              StatusIs(kInvalid, HasSubstr("unknown decode \"half\"; known: scaled, full")));
  EXPECT_THAT(ToInput(photo, {.height = 0}, {}), StatusIs(kInvalid, HasSubstr("0x224")));
  EXPECT_THAT(ToInput("not a picture", {}, {}), StatusIs(kInvalid, HasSubstr("accepted are")));
  EXPECT_THAT(ToInput(photo, {}, {.max_pixels = 80}), StatusIs(kInvalid, HasSubstr("at most 80")));
}

TEST(PreprocessSpecTest, EveryFieldChangesTheKey) {
  const std::set<std::string> keys = {KeyOf({}), KeyOf({.height = 225}), KeyOf({.width = 225}),
                                      KeyOf({.resize = "other"}), KeyOf({.decode = "other"})};
  EXPECT_EQ(keys.size(), 5u);
  EXPECT_EQ(KeyOf({}), "224x224,resize=bilinear,decode=scaled2");
}

TEST(BackboneCatalogTest, FactsAreThoseOfKerasApplications) {
  ASSERT_EQ(Backbones().size(), 3u);
  ASSERT_OK_AND_ASSIGN(const BackboneFacts mobilenet, FindBackbone("mobilenet_v2"));
  EXPECT_EQ(mobilenet.parameters, 2'257'984);
  EXPECT_EQ(mobilenet.article_epochs, 10);
  ASSERT_OK_AND_ASSIGN(const BackboneFacts efficientnet, FindBackbone("efficientnet_v2_b0"));
  EXPECT_EQ(efficientnet.parameters, 5'919'312);
  EXPECT_EQ(NameOf(efficientnet.normalization), "imagenet");
  ASSERT_OK_AND_ASSIGN(const BackboneFacts resnet, FindBackbone("resnet50_v2"));
  EXPECT_EQ(resnet.parameters, 23'564'800);
  EXPECT_EQ(resnet.feature_dimension, 2048);
}

TEST(BackboneCatalogTest, UnknownBackboneNamesTheKnownOnes) {
  EXPECT_THAT(FindBackbone("vgg16"), StatusIs(absl::StatusCode::kInvalidArgument,
                                              AllOf(HasSubstr("spec.backbone"), HasSubstr("vgg16"),
                                                    HasSubstr("mobilenet_v2, efficientnet_v2_b0, resnet50_v2"))));
}

}  // namespace
}  // namespace graft::network
