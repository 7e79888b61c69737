// By how much a JPEG is reduced on its way to a target size, what it looks like then, and that nothing else changes.
#include "core/image/stretched.h"

#include <gtest/gtest.h>

#include "core/image/decode.h"
#include "core/image/orientation.h"
#include "core/image/resize.h"
#include "tests/core/image/made_images.h"
#include "tests/testing/assets.h"
#include "tests/testing/status_matchers.h"

namespace graft::image {
namespace {

using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;
using testing::Contents;
using testing::Encode;
using testing::Gradient;
using ::testing::HasSubstr;
using testing::MeanDifference;
using testing::WithOrientation;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

Image AsImage(const StretchTarget& target, StretchedImage stretched) {
  return {.height = target.height, .width = target.width, .pixels = std::move(stretched.pixels)};
}

struct Case {
  const char* what;
  int height, width;
  StretchTarget target;
  int reduction;
};

TEST(DecodeStretchedTest, TakesTheLargestReductionThatLeavesTheTarget) {
  const Case cases[] = {
      {"an eighth leaves one and a half times the target", 288, 336, {.height = 24, .width = 28}, 8},
      {"a quarter: an eighth is one row short", 280, 336, {.height = 24, .width = 28}, 4},
      {"a quarter leaves one and a half times the target", 288, 336, {.height = 48, .width = 56}, 4},
      {"a half: a quarter is one column short", 288, 332, {.height = 48, .width = 56}, 2},
      {"a half, exactly", 256, 320, {.height = 128, .width = 160}, 2},
      {"none: a half is one row short", 256, 320, {.height = 129, .width = 1}, 1},
      {"sides round up", 281, 329, {.height = 24, .width = 28}, 8},
      {"a long thin picture keeps its short side", 24, 800, {.height = 24, .width = 24}, 1},
      {"a picture below the target is not reduced", 20, 20, {.height = 24, .width = 24}, 1},
      {"full size asked for", 256, 320, {.height = 32, .width = 40, .reduce = false}, 1},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.what);
    ASSERT_OK_AND_ASSIGN(const StretchedImage image,
                         DecodeStretched(Encode(Gradient(test.height, test.width), ".jpg"), {}, test.target));
    EXPECT_EQ(image.reduction, test.reduction);
    EXPECT_EQ(image.pixels.size(), size_t(test.target.height) * size_t(test.target.width) * 3);
  }
}

TEST(DecodeStretchedTest, AtFullSizeIsTheWholePictureStretched) {
  const StretchTarget target{.height = 48, .width = 32, .reduce = false};
  for (const int orientation : {1, 6, 7}) {
    const std::string photo = WithOrientation(Encode(Gradient(240, 320), ".jpg"), orientation);
    ASSERT_OK_AND_ASSIGN(const Image whole, DecodeImage(photo, {}));
    std::vector<uint8_t> expected(48 * 32 * 3);
    ResizeBilinear(whole, 48, 32, absl::MakeSpan(expected));
    ASSERT_OK_AND_ASSIGN(const StretchedImage stretched, DecodeStretched(photo, {}, target));
    EXPECT_EQ(stretched.pixels, expected) << "orientation " << orientation;
  }
}

// Odd sides, so that the last row and column of the reduced picture stand for less than the others.
class ReductionTest : public ::testing::TestWithParam<int> {
 protected:
  const StretchTarget target_{.height = 331 / GetParam() * 2 / 3, .width = 173 / GetParam() * 2 / 3};
  const Image photo_ = Gradient(331, 173);
};
INSTANTIATE_TEST_SUITE_P(By, ReductionTest, ::testing::Values(2, 4, 8));

TEST_P(ReductionTest, LooksLikeTheWholePictureStretched) {
  Image expected{.height = target_.height, .width = target_.width, .pixels = {}};
  expected.pixels.resize(size_t(target_.height) * size_t(target_.width) * 3);
  ResizeBilinear(photo_, target_.height, target_.width, absl::MakeSpan(expected.pixels));
  for (const int progressive : {0, 1}) {
    const std::string jpeg = Encode(photo_, ".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, progressive});
    ASSERT_OK_AND_ASSIGN(StretchedImage stretched, DecodeStretched(jpeg, {}, target_));
    EXPECT_EQ(stretched.reduction, GetParam());
    EXPECT_LT(MeanDifference(AsImage(target_, std::move(stretched)), expected), 3) << "progressive: " << progressive;
  }
}

TEST_P(ReductionTest, TargetIsOfTheUprightPicture) {
  ASSERT_OK_AND_ASSIGN(StretchedImage upright, DecodeStretched(Encode(photo_, ".jpg"), {}, target_));
  const Image expected = AsImage(target_, std::move(upright));
  for (int o = 2; o <= 8; ++o) {
    const Image stored = Upright(photo_, o == 6 ? 8 : o == 8 ? 6 : o);
    ASSERT_OK_AND_ASSIGN(StretchedImage stretched,
                         DecodeStretched(WithOrientation(Encode(stored, ".jpg"), o), {}, target_));
    EXPECT_EQ(stretched.reduction, GetParam()) << "orientation " << o;
    EXPECT_LT(MeanDifference(AsImage(target_, std::move(stretched)), expected), 3) << "orientation " << o;
  }
}

TEST(DecodeStretchedTest, OtherFormatsAreNotReduced) {
  for (const char* extension : {".png", ".webp", ".bmp"}) {
    ASSERT_OK_AND_ASSIGN(const StretchedImage image,
                         DecodeStretched(Encode(Gradient(64, 96), extension), {}, {.height = 8, .width = 8}));
    EXPECT_EQ(image.reduction, 1) << extension;
  }
}

TEST(DecodeStretchedTest, LimitsAreOnTheFullSize) {
  const StretchTarget target{.height = 1, .width = 1};
  const std::string jpeg = Encode(Gradient(30, 50), ".jpg");
  EXPECT_THAT(DecodeStretched(jpeg, {.max_pixels = 1499}, target), StatusIs(kInvalid, HasSubstr("1500")));
  EXPECT_OK(DecodeStretched(jpeg, {.max_pixels = 1500}, target));
  EXPECT_THAT(DecodeStretched(jpeg, {.max_side = 49}, target), StatusIs(kInvalid, HasSubstr("50x30")));
  const std::string progressive = Encode(Gradient(64, 64), ".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  EXPECT_THAT(DecodeStretched(progressive, {.max_jpeg_scans = 2}, target), StatusIs(kInvalid, HasSubstr("scans")));
}

// What a reduction leaves out is read all the same: damage does not hide behind it.
TEST(DecodeStretchedTest, TakesAndRefusesTheSameBytesAsAFullDecode) {
  const std::string good = Encode(Gradient(64, 96), ".jpg");
  int refused = 0;
  for (size_t i = 0; i < good.size(); i += 1 + good.size() / 400) {
    std::string flipped = good;
    flipped[i] = static_cast<char>(flipped[i] ^ 0xff);
    for (const std::string& bytes : {flipped, good.substr(0, i)}) {
      const absl::Status full = DecodeImage(bytes, {.max_pixels = 100'000}).status();
      EXPECT_EQ(full, DecodeStretched(bytes, {.max_pixels = 100'000}, {.height = 8, .width = 8}).status()) << i;
      refused += full.ok() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 200);
}

TEST(DecodeStretchedTest, CmykIsReducedToo) {
  REQUIRE_ASSET(folder, "odd_images");
  const StretchTarget target{.height = 16, .width = 16};
  ASSERT_OK_AND_ASSIGN(StretchedImage cmyk,
                       DecodeStretched(Contents(folder + "/pillow_pil_sample_cmyk.jpg"), {}, target));
  ASSERT_OK_AND_ASSIGN(StretchedImage rgb,
                       DecodeStretched(Contents(folder + "/pillow_pil_sample_rgb.jpg"), {}, target));
  EXPECT_EQ(cmyk.reduction, 4);
  EXPECT_LT(MeanDifference(AsImage(target, std::move(cmyk)), AsImage(target, std::move(rgb))), 25);
}

}  // namespace
}  // namespace graft::image
