// Every file of the collection of odd pictures: a right picture of the right size, or an error that says why.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "core/image/decode.h"
#include "tests/core/image/made_images.h"
#include "tests/testing/assets.h"
#include "tests/testing/status_matchers.h"

namespace graft::image {
namespace {

using ::graft::testing::StatusIs;
using testing::Contents;
using ::testing::HasSubstr;

struct OddImage {
  const char* file;
  int width;  // upright; 0 where an error is expected
  int height;
  const char* error = "";
};

// clang-format off
constexpr OddImage kOddImages[] = {
    {"coral_cat.bmp", 512, 341},
    {"coral_cat_720p.jpg", 1280, 720},
    {"coral_hot_dog.jpg", 512, 384},
    {"coral_owl.jpg", 512, 384},
    {"coral_parrot.jpg", 512, 929},
    {"coral_pets.jpg", 512, 430},
    {"coral_sunflower.bmp", 512, 340},
    {"exif_Landscape_1.jpg", 1800, 1200},
    {"exif_Landscape_3.jpg", 1800, 1200},
    {"exif_Landscape_6.jpg", 1800, 1200},
    {"exif_Landscape_8.jpg", 1800, 1200},
    {"exif_Portrait_1.jpg", 1200, 1800},
    {"exif_Portrait_5.jpg", 1200, 1800},
    {"exif_Portrait_6.jpg", 1200, 1800},
    {"exif_Portrait_7.jpg", 1200, 1800},
    {"imagers_3.jpg", 650, 470},
    {"imagers_Bad_reallybig.bmp", 0, 0, "a side may have at most"},
    {"imagers_Bad_shortfile.bmp", 0, 0, "truncated BMP"},
    {"imagers_anim.webp", 200, 200},
    {"imagers_basi0g16.png", 32, 32},
    {"imagers_basi2c08.png", 32, 32},
    {"imagers_basn2c16.png", 32, 32},
    {"imagers_basn6a16.png", 32, 32},
    {"imagers_cat.jpg", 320, 240},
    {"imagers_portrait_2.jpg", 113, 150},
    {"imagers_simple.webp", 300, 300},
    {"pillow_broken.png", 0, 0, "image"},
    {"pillow_broken_data_stream.png", 0, 0, "damaged or truncated PNG"},
    {"pillow_decompression_bomb.gif", 0, 0, "GIF"},
    {"pillow_decompression_bomb.ico", 0, 0, "ICO"},
    {"pillow_decompression_bomb_extents.gif", 0, 0, "GIF"},
    {"pillow_dispose_bgnd.gif", 0, 0, "GIF"},
    {"pillow_flower.webp", 480, 360},
    {"pillow_flower2.jpg", 300, 225},
    {"pillow_hopper.bmp", 128, 128},
    {"pillow_hopper.gif", 0, 0, "GIF"},
    {"pillow_hopper.png", 128, 128},
    {"pillow_hopper.tif", 0, 0, "TIFF"},
    {"pillow_hopper.webp", 128, 128},
    // Stripes of noise, not a photo: the coded data does not fit its headers.
    {"pillow_hopper_bad_exif.jpg", 0, 0, "extraneous bytes before marker"},
    {"pillow_hopper_gray.jpg", 128, 128},
    {"pillow_hopper_idat_after_image_end.png", 128, 128},
    {"pillow_hopper_orientation_2.jpg", 128, 128},
    {"pillow_hopper_orientation_3.jpg", 128, 128},
    {"pillow_hopper_orientation_4.jpg", 128, 128},
    {"pillow_hopper_orientation_5.jpg", 128, 128},
    {"pillow_hopper_orientation_6.jpg", 128, 128},
    {"pillow_hopper_orientation_6.webp", 128, 128},
    {"pillow_hopper_orientation_7.jpg", 128, 128},
    {"pillow_hopper_orientation_8.jpg", 128, 128},
    {"pillow_i_trns.png", 64, 64},
    {"pillow_icc-after-SOF.jpg", 10, 10},
    {"pillow_invalid-exif.jpg", 200, 200},
    {"pillow_iss634.webp", 245, 245},
    {"pillow_jpeg_ff00_header.jpg", 300, 225},
    {"pillow_junk_jpeg_header.jpg", 1024, 768},
    {"pillow_l_trns.png", 64, 64},
    {"pillow_multiple_exif.jpg", 1, 1},
    {"pillow_orientation_rectangle.jpg", 1, 2},
    {"pillow_p_16.png", 128, 128},
    {"pillow_pil_sample_cmyk.jpg", 100, 100},
    {"pillow_pil_sample_rgb.jpg", 100, 100},
    // The bomb is in text that is never inflated; the picture itself is fine.
    {"pillow_png_decompression_dos.png", 1, 1},
    {"pillow_tRNS_null_1x1.png", 1, 1},
    {"pillow_transparent.png", 200, 150},
    {"pillow_transparent.webp", 200, 150},
    {"pillow_truncated_app14.jpg", 100, 100},
    {"pillow_truncated_end_chunk.png", 0, 0, "truncated PNG"},
    {"pillow_truncated_image.png", 0, 0, "truncated PNG"},
    {"pillow_truncated_jpeg.jpg", 0, 0, "truncated"},
    // Only its colour profile is broken, and colour profiles are not read.
    {"pillow_unknown_compression_method.png", 57, 57},
    {"pillow_zero_width.gif", 0, 0, "GIF"},
};
// clang-format on

TEST(OddImagesTest, EachGivesItsPictureOrAClearError) {
  REQUIRE_ASSET(folder, "odd_images");
  for (const OddImage& odd : kOddImages) {
    SCOPED_TRACE(odd.file);
    const absl::StatusOr<Image> decoded = DecodeImage(Contents(folder + "/" + odd.file), {});
    if (odd.width == 0) {
      EXPECT_THAT(decoded, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(odd.error)));
      continue;
    }
    EXPECT_OK(decoded);
    if (!decoded.ok()) continue;
    EXPECT_EQ(decoded->width, odd.width);
    EXPECT_EQ(decoded->height, odd.height);
    EXPECT_EQ(decoded->pixels.size(), static_cast<size_t>(odd.width) * static_cast<size_t>(odd.height) * 3);
  }
}

TEST(OddImagesTest, TableCoversTheWholeFolder) {
  REQUIRE_ASSET(folder, "odd_images");
  std::set<std::string> listed{"SOURCES.md"}, found;
  for (const OddImage& odd : kOddImages) listed.insert(odd.file);
  for (const auto& file : std::filesystem::directory_iterator(folder)) found.insert(file.path().filename());
  EXPECT_EQ(listed, found);
}

TEST(OddImagesTest, HalfOfAGoodFileIsAnError) {
  REQUIRE_ASSET(folder, "odd_images");
  for (const OddImage& odd : kOddImages) {
    if (odd.width == 0) continue;
    SCOPED_TRACE(odd.file);
    const std::string bytes = Contents(folder + "/" + odd.file);
    // One file carries a second picture's data after its end: half of it is the whole first picture.
    if (std::string(odd.file) == "pillow_hopper_idat_after_image_end.png") continue;
    EXPECT_THAT(DecodeImage(bytes.substr(0, bytes.size() / 2), {}), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace graft::image
