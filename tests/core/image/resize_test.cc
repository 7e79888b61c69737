#include "core/image/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/core/image/made_images.h"

namespace graft::image {
namespace {

Image Noise(int height, int width) {
  std::mt19937 random(static_cast<unsigned>(height * 1000 + width));
  Image image{.height = height, .width = width, .pixels = std::vector<uint8_t>(size_t(height) * size_t(width) * 3)};
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(random());
  return image;
}

// The definition, in double and without tables.
double Reference(const Image& image, int height, int width, int y, int x, int c) {
  const double row = std::clamp((y + 0.5) * image.height / height - 0.5, 0.0, image.height - 1.0);
  const double column = std::clamp((x + 0.5) * image.width / width - 0.5, 0.0, image.width - 1.0);
  const auto at = [&](double r, double q) {
    const int rr = std::min(static_cast<int>(r), image.height - 1), qq = std::min(static_cast<int>(q), image.width - 1);
    return static_cast<double>(image.pixels[size_t(rr * image.width + qq) * 3 + size_t(c)]);
  };
  const double down = row - std::floor(row), right = column - std::floor(column);
  return (at(row, column) * (1 - right) + at(row, column + 1) * right) * (1 - down) +
         (at(row + 1, column) * (1 - right) + at(row + 1, column + 1) * right) * down;
}

struct Geometry {
  int from_height, from_width, to_height, to_width;
};
std::string GeometryName(const ::testing::TestParamInfo<Geometry>& info) {
  const auto [from_height, from_width, height, width] = info.param;
  return absl::StrCat(from_height, "x", from_width, "_to_", height, "x", width);
}
class ResizeTest : public ::testing::TestWithParam<Geometry> {};

TEST_P(ResizeTest, StaysWithinHalfALevelOfTheDefinition) {
  const auto [from_height, from_width, height, width] = GetParam();
  const Image image = Noise(from_height, from_width);
  std::vector<uint8_t> out(size_t(height) * size_t(width) * 3);
  ResizeBilinear(image, height, width, absl::MakeSpan(out));
  double worst = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double got = out[size_t(y * width + x) * 3 + size_t(c)];
        worst = std::max(worst, std::abs(got - Reference(image, height, width, y, x, c)));
      }
    }
  }
  EXPECT_LE(worst, 0.51);
}

INSTANTIATE_TEST_SUITE_P(Geometries, ResizeTest,
                         ::testing::Values(Geometry{320, 240, 224, 224}, Geometry{213, 320, 224, 224},
                                           Geometry{100, 50, 224, 224}, Geometry{1, 1, 5, 7},
                                           Geometry{1, 300, 224, 224}, Geometry{1501, 999, 224, 192},
                                           Geometry{7, 5, 1, 1}),
                         GeometryName);

TEST(ResizeBilinearTest, SameSizeKeepsEveryPixel) {
  const Image image = Noise(33, 21);
  std::vector<uint8_t> out(image.pixels.size());
  ResizeBilinear(image, 33, 21, absl::MakeSpan(out));
  EXPECT_EQ(out, image.pixels);
}

TEST(ResizeBilinearTest, DoublingInterpolatesBetweenPixelCentres) {
  const Image image{.height = 1, .width = 2, .pixels = {0, 0, 0, 100, 100, 100}};
  std::vector<uint8_t> out(4 * 3);
  ResizeBilinear(image, 1, 4, absl::MakeSpan(out));
  EXPECT_EQ(out, (std::vector<uint8_t>{0, 0, 0, 25, 25, 25, 75, 75, 75, 100, 100, 100}));
}

}  // namespace
}  // namespace graft::image
