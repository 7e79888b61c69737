// A JPEG decoded smaller: by how much, what it looks like, and that nothing else about decoding changes.
#include <gtest/gtest.h>

#include "core/image/decode.h"
#include "core/image/orientation.h"
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

struct Case {
  const char* what;
  int height, width;
  MinimumSize minimum;
  int reduced_height, reduced_width;
};

TEST(ScaledDecodeTest, TakesTheLargestReductionThatLeavesTheMinimum) {
  const Case cases[] = {
      {"an eighth, exactly", 256, 320, {.height = 32, .width = 40}, 32, 40},
      {"a quarter: an eighth is one row short", 256, 320, {.height = 33, .width = 1}, 64, 80},
      {"a half: a quarter is one column short", 256, 320, {.height = 1, .width = 81}, 128, 160},
      {"none: a half is one row short", 256, 320, {.height = 129, .width = 1}, 256, 320},
      {"sides round up", 249, 313, {.height = 32, .width = 40}, 32, 40},
      {"a long thin picture keeps its short side", 24, 800, {.height = 24, .width = 24}, 24, 800},
      {"a picture below the minimum stays", 20, 20, {.height = 24, .width = 24}, 20, 20},
      {"one pixel is left of anything", 7, 5, {.height = 1, .width = 1}, 1, 1},
      {"no minimum given", 256, 320, {}, 256, 320},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.what);
    ASSERT_OK_AND_ASSIGN(const Image image,
                         DecodeImage(Encode(Gradient(test.height, test.width), ".jpg"), {}, test.minimum));
    EXPECT_EQ(image.height, test.reduced_height);
    EXPECT_EQ(image.width, test.reduced_width);
    EXPECT_EQ(image.pixels.size(), size_t(image.height) * size_t(image.width) * 3);
  }
}

class ReductionTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(By, ReductionTest, ::testing::Values(2, 4, 8), ::testing::PrintToStringParamName());

// Gradient(h, w) at half the size is Gradient(h / 2, w / 2), but for its one edge.
TEST_P(ReductionTest, IsTheSamePictureSmaller) {
  const Image small = Gradient(320 / GetParam(), 480 / GetParam());
  const MinimumSize minimum{.height = small.height, .width = small.width};
  for (const int progressive : {0, 1}) {
    const std::string jpeg = Encode(Gradient(320, 480), ".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, progressive});
    ASSERT_OK_AND_ASSIGN(const Image image, DecodeImage(jpeg, {}, minimum));
    EXPECT_LT(MeanDifference(image, small), 4) << "progressive: " << progressive;
  }
}

TEST_P(ReductionTest, MinimumIsOfTheUprightPicture) {
  const Image photo = Gradient(320, 160);
  const Image small = Gradient(320 / GetParam(), 160 / GetParam());
  for (int o = 1; o <= 8; ++o) {
    const Image stored = Upright(photo, o == 6 ? 8 : o == 8 ? 6 : o);
    ASSERT_OK_AND_ASSIGN(const Image image, DecodeImage(WithOrientation(Encode(stored, ".jpg"), o), {},
                                                        {.height = small.height, .width = small.width}));
    EXPECT_LT(MeanDifference(image, small), 6) << "orientation " << o;
  }
}

TEST(ScaledDecodeTest, OtherFormatsStayAtFullSize) {
  for (const char* extension : {".png", ".webp", ".bmp"}) {
    ASSERT_OK_AND_ASSIGN(const Image image,
                         DecodeImage(Encode(Gradient(64, 96), extension), {}, {.height = 8, .width = 8}));
    EXPECT_EQ(image.height, 64) << extension;
    EXPECT_EQ(image.width, 96) << extension;
  }
}

TEST(ScaledDecodeTest, LimitsAreOnTheFullSize) {
  const MinimumSize minimum{.height = 1, .width = 1};
  const std::string jpeg = Encode(Gradient(30, 50), ".jpg");
  EXPECT_THAT(DecodeImage(jpeg, {.max_pixels = 1499}, minimum), StatusIs(kInvalid, HasSubstr("1500")));
  EXPECT_OK(DecodeImage(jpeg, {.max_pixels = 1500}, minimum));
  EXPECT_THAT(DecodeImage(jpeg, {.max_side = 49}, minimum), StatusIs(kInvalid, HasSubstr("50x30")));
  const std::string progressive = Encode(Gradient(64, 64), ".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  EXPECT_THAT(DecodeImage(progressive, {.max_jpeg_scans = 2}, minimum), StatusIs(kInvalid, HasSubstr("scans")));
}

// What is lost to the DCT's reduction is read all the same: damage does not hide behind it.
TEST(ScaledDecodeTest, TakesAndRefusesTheSameBytesAsAFullDecode) {
  const std::string good = Encode(Gradient(64, 96), ".jpg");
  int refused = 0;
  for (size_t i = 0; i < good.size(); i += 1 + good.size() / 400) {
    std::string flipped = good;
    flipped[i] = static_cast<char>(flipped[i] ^ 0xff);
    for (const std::string& bytes : {flipped, good.substr(0, i)}) {
      const absl::StatusOr<Image> full = DecodeImage(bytes, {.max_pixels = 100'000});
      const absl::StatusOr<Image> scaled = DecodeImage(bytes, {.max_pixels = 100'000}, {.height = 8, .width = 8});
      EXPECT_EQ(full.status(), scaled.status()) << i;
      refused += scaled.ok() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 200);
}

TEST(ScaledDecodeTest, CmykIsReducedToo) {
  REQUIRE_ASSET(folder, "odd_images");
  const MinimumSize minimum{.height = 25, .width = 25};
  ASSERT_OK_AND_ASSIGN(const Image cmyk, DecodeImage(Contents(folder + "/pillow_pil_sample_cmyk.jpg"), {}, minimum));
  ASSERT_OK_AND_ASSIGN(const Image rgb, DecodeImage(Contents(folder + "/pillow_pil_sample_rgb.jpg"), {}, minimum));
  EXPECT_EQ(cmyk.height, 25);
  EXPECT_LT(MeanDifference(cmyk, rgb), 25);
}

}  // namespace
}  // namespace graft::image
