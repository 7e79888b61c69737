#include "core/image/orientation.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/core/image/made_images.h"
#include "tests/testing/assets.h"
#include "tests/testing/status_matchers.h"

namespace graft::image {
namespace {

using testing::Contents;
using testing::Encode;
using testing::Gradient;
using testing::MeanDifference;
using testing::WithOrientation;

// 2 rows, 3 columns of the grey levels 1..6.
Image Numbered() {
  Image image{.height = 2, .width = 3, .pixels = {}};
  for (uint8_t value = 1; value <= 6; ++value) image.pixels.insert(image.pixels.end(), 3, value);
  return image;
}

std::vector<int> Levels(const Image& image) {
  std::vector<int> levels;
  for (size_t i = 0; i < image.pixels.size(); i += 3) levels.push_back(image.pixels[i]);
  return levels;
}

TEST(UprightTest, FollowsTheExifDefinitionOfEachOrientation) {
  EXPECT_EQ(Levels(Upright(Numbered(), 1)), (std::vector<int>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Levels(Upright(Numbered(), 2)), (std::vector<int>{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(Levels(Upright(Numbered(), 3)), (std::vector<int>{6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(Levels(Upright(Numbered(), 4)), (std::vector<int>{4, 5, 6, 1, 2, 3}));
  EXPECT_EQ(Levels(Upright(Numbered(), 5)), (std::vector<int>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(Levels(Upright(Numbered(), 6)), (std::vector<int>{4, 1, 5, 2, 6, 3}));
  EXPECT_EQ(Levels(Upright(Numbered(), 7)), (std::vector<int>{6, 3, 5, 2, 4, 1}));
  EXPECT_EQ(Levels(Upright(Numbered(), 8)), (std::vector<int>{3, 6, 2, 5, 1, 4}));
}

TEST(UprightTest, TurningSwapsHeightAndWidth) {
  const Image turned = Upright(Numbered(), 6);
  EXPECT_EQ(turned.height, 3);
  EXPECT_EQ(turned.width, 2);
}

TEST(ExifOrientationTest, DamagedExifCountsAsUpright) {
  const std::string jpeg = WithOrientation("\xff\xd8", 6);
  const std::string exif = jpeg.substr(6);
  ASSERT_EQ(ExifOrientation(exif), 6);
  // Everything up to the value is needed: the entry's 12 bytes.
  for (size_t size = 0; size < 28; ++size) EXPECT_EQ(ExifOrientation(exif.substr(0, size)), 1) << size;
  std::string far = exif;
  far.replace(10, 4, "\xff\xff\xff\xff");
  EXPECT_EQ(ExifOrientation(far), 1);
  EXPECT_EQ(ExifOrientation(WithOrientation("\xff\xd8", 9).substr(6)), 1);
  EXPECT_EQ(ExifOrientation(WithOrientation("\xff\xd8", 0).substr(6)), 1);
}

TEST(DecodeOrientationTest, EveryOrientationOfOnePhotoGivesTheSameUprightPicture) {
  const Image photo = Gradient(48, 64);
  // The orientation that stores the picture so that `o` puts it back: 6 and 8 undo each other, the rest themselves.
  for (int o = 1; o <= 8; ++o) {
    const Image stored = Upright(photo, o == 6 ? 8 : o == 8 ? 6 : o);
    ASSERT_OK_AND_ASSIGN(const Image decoded, DecodeImage(WithOrientation(Encode(stored, ".jpg"), o), {}));
    EXPECT_LT(MeanDifference(decoded, photo), 3) << "orientation " << o;
  }
}

TEST(DecodeOrientationTest, PublishedExamplesAllStandUpright) {
  REQUIRE_ASSET(folder, "odd_images");
  ASSERT_OK_AND_ASSIGN(const Image upright, DecodeImage(Contents(folder + "/pillow_hopper.png"), {}));
  for (int o = 2; o <= 8; ++o) {
    const std::string name = absl::StrCat(folder, "/pillow_hopper_orientation_", o, ".jpg");
    ASSERT_OK_AND_ASSIGN(const Image decoded, DecodeImage(Contents(name), {}));
    EXPECT_LT(MeanDifference(decoded, upright), 8) << name;
  }
  ASSERT_OK_AND_ASSIGN(const Image webp, DecodeImage(Contents(folder + "/pillow_hopper_orientation_6.webp"), {}));
  EXPECT_LT(MeanDifference(webp, upright), 8);
}

TEST(DecodeOrientationTest, PngsExifChunkTurnsThePicture) {
  const Image stored = Gradient(8, 16);
  const std::string png = Encode(stored, ".png");
  const std::string tiff = WithOrientation("\xff\xd8", 6).substr(12);
  const std::string chunk = std::string("\0\0\0", 3) + static_cast<char>(tiff.size()) + "eXIf" + tiff + "CRC?";
  constexpr size_t kAfterHeader = 8 + 25;
  ASSERT_OK_AND_ASSIGN(const Image decoded,
                       DecodeImage(png.substr(0, kAfterHeader) + chunk + png.substr(kAfterHeader), {}));
  EXPECT_EQ(decoded.pixels, Upright(stored, 6).pixels);
}

}  // namespace
}  // namespace graft::image
