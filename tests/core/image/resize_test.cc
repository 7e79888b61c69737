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

// Every row and column of `photo` times `by`, averaged over squares of by x by: what a reduction to 1/by gives.
ReducedImage Reduced(const Image& photo, int by) {
  ReducedImage reduced{.image = {.height = (photo.height + by - 1) / by, .width = (photo.width + by - 1) / by},
                       .height = double(photo.height) / by,
                       .width = double(photo.width) / by};
  for (int y = 0; y < reduced.image.height; ++y) {
    for (int x = 0; x < reduced.image.width * 3; ++x) {
      double sum = 0;
      for (int i = 0; i < by * by; ++i) {
        const int row = std::min(y * by + i / by, photo.height - 1);
        const int column = std::min(x / 3 * by + i % by, photo.width - 1);
        sum += photo.pixels[size_t(row * photo.width + column) * 3 + size_t(x % 3)];
      }
      reduced.image.pixels.push_back(static_cast<uint8_t>(std::lround(sum / (by * by))));
    }
  }
  return reduced;
}

// Waves of `period` pixels, in every direction and phase.
Image Waves(int height, int width, double period) {
  Image image{.height = height, .width = width, .pixels = {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (const double along : {double(x), double(y), (x + y) / std::sqrt(2.0)}) {
        image.pixels.push_back(static_cast<uint8_t>(std::lround(127.5 + 100 * std::sin(2 * M_PI * along / period))));
      }
    }
  }
  return image;
}

double MeanDifferenceToWhole(const Image& photo, absl::Span<const uint8_t> got) {
  std::vector<uint8_t> whole(got.size());
  ResizeBilinear(photo, 48, 48, absl::MakeSpan(whole));
  double sum = 0;
  for (size_t i = 0; i < got.size(); ++i) sum += std::abs(int{got[i]} - int{whole[i]});
  return sum / double(got.size());
}

TEST(ResizeReducedTest, KeepsTheDetailThatPlainBilinearWouldBlur) {
  const Image photo = Waves(512, 640, 40);
  const ReducedImage reduced = Reduced(photo, 8);  // a wave of 5 pixels
  std::vector<uint8_t> sharp(48 * 48 * 3), plain(sharp.size());
  ResizeReduced(reduced, 48, 48, absl::MakeSpan(sharp));
  ResizeBilinear(reduced.image, 48, 48, absl::MakeSpan(plain));
  EXPECT_LT(MeanDifferenceToWhole(photo, sharp), 5);
  EXPECT_GT(MeanDifferenceToWhole(photo, plain), 12);
}

TEST(ResizeReducedTest, PlacesTheLastColumnThatStandsForLess) {
  const Image photo = Waves(512, 393, 160);  // 49 columns of 8 and one of 1
  const ReducedImage reduced = Reduced(photo, 8);
  ReducedImage naive = reduced;
  naive.width = naive.image.width;
  std::vector<uint8_t> right(48 * 48 * 3), shifted(right.size());
  ResizeReduced(reduced, 48, 48, absl::MakeSpan(right));
  ResizeReduced(naive, 48, 48, absl::MakeSpan(shifted));
  EXPECT_LT(MeanDifferenceToWhole(photo, right), 1);
  EXPECT_GT(MeanDifferenceToWhole(photo, shifted), 2);
}

TEST(ResizeReducedTest, CutsWhatSharpeningLiftsOutOfRange) {
  ReducedImage edge{
      .image = {.height = 8, .width = 8, .pixels = std::vector<uint8_t>(8 * 8 * 3)}, .height = 8, .width = 8};
  for (size_t i = 0; i < edge.image.pixels.size(); ++i) edge.image.pixels[i] = i / 3 % 8 < 4 ? 0 : 255;
  std::vector<uint8_t> out(8 * 8 * 3);
  ResizeReduced(edge, 8, 8, absl::MakeSpan(out));
  EXPECT_EQ(out, edge.image.pixels);
}

TEST(ResizeReducedTest, OnePixelFillsTheTarget) {
  const ReducedImage one{.image = {.height = 1, .width = 1, .pixels = {10, 20, 30}}, .height = 0.625, .width = 0.875};
  std::vector<uint8_t> out(2 * 3 * 3);
  ResizeReduced(one, 2, 3, absl::MakeSpan(out));
  for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], 10 + 10 * (i % 3));
}

}  // namespace
}  // namespace graft::image
