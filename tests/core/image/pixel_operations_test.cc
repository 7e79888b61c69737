// Each operation against its definition, on a made picture.
#include "core/image/pixel_operations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "core/image/trivial_augment.h"
#include "tests/core/image/made_images.h"

namespace graft::image {
namespace {

using testing::Gradient;

Pixels PixelsOf(Image& image) {
  return {.data = image.pixels.data(), .height = image.height, .width = image.width};
}

Image Noise(int height, int width) {
  std::mt19937 random(5);
  Image image{.height = height, .width = width, .pixels = std::vector<uint8_t>(size_t(height) * size_t(width) * 3)};
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(random());
  return image;
}

int At(const Image& image, int y, int x, int c) {
  return image.pixels[size_t(y * image.width + x) * 3 + size_t(c)];
}

double Grey(const Image& image, int y, int x) {
  return 0.299 * At(image, y, x, 0) + 0.587 * At(image, y, x, 1) + 0.114 * At(image, y, x, 2);
}

double Cut(double value) {
  return std::clamp(value, 0.0, 255.0);
}

// Every value of `got` is within `tolerance` of expected(y, x, channel), cut.
template <typename Expected>
void ExpectPixels(const Image& got, double tolerance, Expected expected) {
  double worst = 0;
  for (int y = 0; y < got.height; ++y) {
    for (int x = 0; x < got.width; ++x) {
      for (int c = 0; c < 3; ++c) worst = std::max(worst, std::abs(At(got, y, x, c) - Cut(expected(y, x, c))));
    }
  }
  EXPECT_LE(worst, tolerance);
}

constexpr double kRounding = 0.501;
constexpr double kTwoRoundings = 1.01;

class FactorTest : public ::testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(Factors, FactorTest, ::testing::Values(0.0, 0.3, 1.0, 1.7));

TEST_P(FactorTest, BrightnessIsAMultiple) {
  const Image before = Noise(9, 7);
  Image image = before;
  ScaleBrightness(PixelsOf(image), GetParam());
  ExpectPixels(image, kRounding, [&](int y, int x, int c) { return At(before, y, x, c) * GetParam(); });
}

TEST_P(FactorTest, ContrastIsTheDistanceFromTheMeanGrey) {
  const Image before = Noise(9, 7);
  double mean = 0;
  for (int y = 0; y < 9; ++y) {
    for (int x = 0; x < 7; ++x) mean += Grey(before, y, x) / 63;
  }
  Image image = before;
  ScaleContrast(PixelsOf(image), GetParam());
  const double mean_rounded = std::abs(1 - GetParam());  // what rounding the greys and their mean may add
  ExpectPixels(image, kRounding + mean_rounded,
               [&](int y, int x, int c) { return mean + (At(before, y, x, c) - mean) * GetParam(); });
}

TEST_P(FactorTest, SaturationIsTheDistanceFromGrey) {
  const Image before = Noise(9, 37);
  Image image = before;
  ScaleSaturation(PixelsOf(image), GetParam());
  ExpectPixels(image, kTwoRoundings, [&](int y, int x, int c) {  // coefficients have ten bits
    const double grey = Grey(before, y, x);
    return grey + (At(before, y, x, c) - grey) * GetParam();
  });
}

TEST_P(FactorTest, SharpnessIsTheDistanceFromTheSmoothPicture) {
  const Image before = Noise(9, 37);
  Image image = before;
  ScaleSharpness(PixelsOf(image), GetParam());
  ExpectPixels(image, kRounding + 0.5 * std::abs(1 - GetParam()), [&](int y, int x, int c) -> double {
    if (y == 0 || x == 0 || y == 8 || x == 36) return At(before, y, x, c);
    double smooth = 4.0 / 13 * At(before, y, x, c);
    for (int i = -1; i <= 1; ++i) {
      for (int j = -1; j <= 1; ++j) smooth += At(before, y + i, x + j, c) / 13.0;
    }
    return smooth + (At(before, y, x, c) - smooth) * GetParam();
  });
}

TEST(PixelOperationsTest, AThirdOfTheCircleChangesTheColoursPlaces) {
  Image image{.height = 1, .width = 3, .pixels = {200, 40, 40, 90, 90, 90, 10, 250, 10}};
  TurnHue(PixelsOf(image), 1.0 / 3);
  const Image expected{.height = 1, .width = 3, .pixels = {40, 200, 40, 90, 90, 90, 10, 10, 250}};
  ExpectPixels(image, 8, [&](int y, int x, int c) { return At(expected, y, x, c); });  // hue has 256 steps
}

TEST(PixelOperationsTest, NoTurnOfHueKeepsColours) {
  const Image before = Noise(9, 7);
  Image image = before;
  TurnHue(PixelsOf(image), 0);
  EXPECT_EQ(image.pixels, before.pixels);
}

TEST(PixelOperationsTest, PosterizeKeepsTheHighBits) {
  Image image{.height = 1, .width = 1, .pixels = {0xff, 0x7f, 0x21}};
  KeepHighBits(PixelsOf(image), 3);
  EXPECT_EQ(image.pixels, (std::vector<uint8_t>{0xe0, 0x60, 0x20}));
}

TEST(PixelOperationsTest, SolarizeInvertsFromTheThresholdOn) {
  Image image{.height = 1, .width = 1, .pixels = {127, 128, 255}};
  InvertFrom(PixelsOf(image), 128);
  EXPECT_EQ(image.pixels, (std::vector<uint8_t>{127, 127, 0}));
}

TEST(PixelOperationsTest, AutoContrastUsesTheWholeRangeOfEachChannel) {
  Image image{.height = 1, .width = 3, .pixels = {50, 10, 7, 100, 10, 250, 150, 10, 128}};
  StretchContrast(PixelsOf(image));
  EXPECT_EQ(image.pixels, (std::vector<uint8_t>{0, 10, 0, 127, 10, 255, 255, 10, 126}));
}

// PIL 10: ImageOps.equalize of a grey ramp in the dark.
TEST(PixelOperationsTest, EqualizeSpreadsAChannelEvenly) {
  Image image{.height = 16, .width = 64, .pixels = {}};
  for (int i = 0; i < 1024; ++i) image.pixels.insert(image.pixels.end(), 3, static_cast<uint8_t>(i / 32));  // 0 .. 31
  EqualizeHistogram(PixelsOf(image));
  for (int i = 0; i < 1024; ++i) {
    const int step = (1024 - 32) / 255;  // 3
    const int level = std::min(255, (step / 2 + 32 * (i / 32)) / step);
    ASSERT_EQ(int{image.pixels[size_t(i) * 3]}, level) << i;
  }
}

TEST(PixelOperationsTest, MirrorChangesLeftAndRight) {
  for (const int width : {1, 2, 7, 64, 224}) {
    const Image before = Noise(5, width);
    Image image = before;
    Mirror(PixelsOf(image));
    ExpectPixels(image, 0, [&](int y, int x, int c) { return At(before, y, width - 1 - x, c); });
  }
}

TEST(PixelOperationsTest, AQuarterTurnMovesEveryPixel) {
  const Image before = Noise(8, 8);
  Image image = before;
  Warp(PixelsOf(image),
       TurnAndZoom(PixelsOf(image), 90, 1));  // counter-clockwise: the right column becomes the top row
  ExpectPixels(image, kRounding, [&](int y, int x, int c) { return At(before, x, 7 - y, c); });
}

TEST(PixelOperationsTest, ZoomMagnifiesAboutTheCentre) {
  const Image before = Gradient(65, 65);
  Image image = before;
  Warp(PixelsOf(image), TurnAndZoom(PixelsOf(image), 0, 2));
  for (int c = 0; c < 2; ++c) {  // the smooth channels
    EXPECT_NEAR(At(image, 32, 32, c), At(before, 32, 32, c), 1);
    EXPECT_NEAR(At(image, 0, 64, c), At(before, 16, 48, c), 1);
    EXPECT_NEAR(At(image, 64, 0, c), At(before, 48, 16, c), 1);
  }
}

TEST(PixelOperationsTest, OutsideThePictureIsItsMirrorImage) {
  Image image{.height = 1, .width = 4, .pixels = {0, 0, 0, 50, 50, 50, 100, 100, 100, 200, 200, 200}};
  Warp(PixelsOf(image), {.x0 = -2});
  EXPECT_EQ(image.pixels, (std::vector<uint8_t>{100, 100, 100, 50, 50, 50, 0, 0, 0, 50, 50, 50}));
}

// Operation numbers are torchvision's: 0 identity, 1 and 2 shear, 3 and 4 translate, 5 rotate, 6 brightness, 7 colour,
// 8 contrast, 9 sharpness, 10 posterize, 11 solarize, 12 auto contrast, 13 equalize.
TEST(TrivialAugmentTest, NoStrengthKeepsThePicture) {
  for (int operation = 0; operation <= 10; ++operation) {
    Image image = Noise(32, 32);
    ApplyTrivial(PixelsOf(image), operation, 0, 1);
    EXPECT_EQ(image.pixels, Noise(32, 32).pixels) << operation;
  }
}

TEST(TrivialAugmentTest, FullStrengthIsTheEndOfTorchvisionsRange) {
  const int full = kTrivialStrengths - 1;
  const auto applied = [&](int operation, int sign) {
    Image image = Noise(80, 80);
    ApplyTrivial(PixelsOf(image), operation, full, sign);
    return image;
  };
  const auto expected = [](auto change) {
    Image image = Noise(80, 80);
    change(PixelsOf(image));
    return image;
  };
  const auto expect_same = [](const Image& got, const Image& wanted) { EXPECT_EQ(got.pixels, wanted.pixels); };
  expect_same(applied(1, -1), expected([](const Pixels& p) { Warp(p, {.xy = -0.99}); }));
  expect_same(applied(2, 1), expected([](const Pixels& p) { Warp(p, {.yx = 0.99}); }));
  ExpectPixels(applied(3, 1), 0, [](int y, int x, int c) {  // to the right by 32
    return At(Noise(80, 80), y, std::abs(x - 32), c);
  });
  ExpectPixels(applied(4, 1), 0, [](int y, int x, int c) { return At(Noise(80, 80), std::abs(y - 32), x, c); });
  expect_same(applied(5, 1), expected([](const Pixels& p) { Warp(p, TurnAndZoom(p, 135, 1)); }));
  expect_same(applied(6, 1), expected([](const Pixels& p) { ScaleBrightness(p, 1.99); }));
  expect_same(applied(7, -1), expected([](const Pixels& p) { ScaleSaturation(p, 0.01); }));
  expect_same(applied(8, 1), expected([](const Pixels& p) { ScaleContrast(p, 1.99); }));
  expect_same(applied(9, -1), expected([](const Pixels& p) { ScaleSharpness(p, 0.01); }));
  expect_same(applied(10, 1), expected([](const Pixels& p) { KeepHighBits(p, 2); }));
  expect_same(applied(11, 1), expected([](const Pixels& p) { InvertFrom(p, 0); }));
  expect_same(applied(12, 1), expected([](const Pixels& p) { StretchContrast(p); }));
  expect_same(applied(13, 1), expected([](const Pixels& p) { EqualizeHistogram(p); }));
}

}  // namespace
}  // namespace graft::image
