#include "core/image/fingerprint.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "tests/core/image/made_images.h"
#include "tests/testing/status_matchers.h"

namespace graft::image {
namespace {

using testing::Encode;
using testing::FromMat;
using testing::Scene;
using testing::ToMat;

Fingerprint Print(const Image& image) {
  return FingerprintOf(image).value();
}

Image Turned(const Image& image, Turn turn) {
  cv::Mat pixels = ToMat(image);
  if ((turn & 4) != 0) cv::transpose(pixels, pixels);
  if ((turn & 1) != 0) cv::flip(pixels, pixels, 1);
  if ((turn & 2) != 0) cv::flip(pixels, pixels, 0);
  return FromMat(pixels);
}

Image Reencoded(const Image& image, const std::string& extension, const std::vector<int>& options = {}) {
  return DecodeImage(Encode(image, extension, options), {}).value();
}

// The turn with the nearest hash, and how many bits are left.
std::pair<Turn, int> NearestTurn(uint64_t of, uint64_t to) {
  std::pair<Turn, int> best{0, 65};
  for (Turn turn = 0; turn < kTurns; ++turn) {
    const int distance = std::popcount(TurnedHash(of, turn) ^ to);
    if (distance < best.second) best = {turn, distance};
  }
  return best;
}

TEST(FingerprintTest, LosslessCopiesHaveTheSamePixelDigest) {
  const Image scene = Scene(1);
  const Fingerprint print = Print(scene);
  for (const char* extension : {".png", ".bmp"}) {
    EXPECT_EQ(Print(Reencoded(scene, extension)).pixel_sha256, print.pixel_sha256) << extension;
  }
  EXPECT_NE(Print(Reencoded(scene, ".jpg")).pixel_sha256, print.pixel_sha256);
  EXPECT_NE(Print(Scene(2)).pixel_sha256, print.pixel_sha256);
}

TEST(FingerprintTest, PixelDigestKnowsTheShape) {
  const Image wide{.height = 2, .width = 6, .pixels = std::vector<uint8_t>(36, 9)};
  const Image high{.height = 6, .width = 2, .pixels = wide.pixels};
  EXPECT_NE(Print(wide).pixel_sha256, Print(high).pixel_sha256);
}

TEST(FingerprintTest, HashOfATurnedPictureIsTheTurnedHash) {
  for (int seed = 0; seed < 20; ++seed) {
    const Image scene = Scene(seed, 128, 192);
    const uint64_t hash = Print(scene).hash;
    for (Turn turn = 0; turn < kTurns; ++turn) {
      // Rounding turns a frequency's sign only where it is almost absent.
      EXPECT_LE(std::popcount(TurnedHash(hash, turn) ^ Print(Turned(scene, turn)).hash), 1) << seed << " " << turn;
    }
  }
}

TEST(FingerprintTest, ThumbnailOfATurnedPictureIsLikeTheTurnedThumbnail) {
  const Image scene = Scene(3, 128, 192);
  const Thumbnail thumbnail = Print(scene).thumbnail;
  for (Turn turn = 0; turn < kTurns; ++turn) {
    const Thumbnail turned = Print(Turned(scene, turn)).thumbnail;
    const Likeness likeness = Compare(turned, thumbnail, turn);
    EXPECT_GT(likeness.correlation, 0.999) << turn;
    EXPECT_LT(likeness.chroma_difference, 2) << turn;
    for (Turn other = 0; other < kTurns; ++other) {
      if (other == turn) continue;
      EXPECT_LT(Compare(turned, thumbnail, other).correlation, 0.9) << turn << " " << other;
    }
  }
}

TEST(FingerprintTest, ChangedCopiesStayNear) {
  for (int seed = 0; seed < 20; ++seed) {
    const Image scene = Scene(seed, 240, 320);
    const Fingerprint print = Print(scene);
    const cv::Mat pixels = ToMat(scene);
    cv::Mat half, brighter;
    cv::resize(pixels, half, {}, 0.5, 0.5, cv::INTER_AREA);
    pixels.convertTo(brighter, -1, 0.8, 20);
    const cv::Mat cropped = pixels(cv::Rect(6, 5, 308, 230));
    const std::pair<const char*, Image> copies[] = {
        {"JPEG 50", Reencoded(scene, ".jpg", {cv::IMWRITE_JPEG_QUALITY, 50})},
        {"half the size", FromMat(half)},
        {"brighter", FromMat(brighter)},
        {"cropped by 2 %", FromMat(cropped)},
        {"turned, half, JPEG", Reencoded(Turned(FromMat(half), 5), ".jpg", {cv::IMWRITE_JPEG_QUALITY, 70})}};
    for (const auto& [name, copy] : copies) {
      const Fingerprint changed = Print(copy);
      const auto [turn, distance] = NearestTurn(changed.hash, print.hash);
      EXPECT_LE(distance, 12) << name << " of " << seed;
      EXPECT_GT(Compare(print.thumbnail, changed.thumbnail, turn).correlation, 0.97) << name << " of " << seed;
    }
  }
}

TEST(FingerprintTest, OtherPicturesAreFar) {
  const Fingerprint print = Print(Scene(0));
  for (int seed = 1; seed < 50; ++seed) {
    const Fingerprint other = Print(Scene(seed));
    const auto [turn, distance] = NearestTurn(other.hash, print.hash);
    EXPECT_GT(distance, 12) << seed;
    EXPECT_LT(Compare(print.thumbnail, other.thumbnail, turn).correlation, 0.9) << seed;
  }
}

TEST(FingerprintTest, SameShapeInAnotherColourDiffersInChroma) {
  const Image scene = Scene(4);
  cv::Mat recoloured = ToMat(scene);
  cv::cvtColor(recoloured, recoloured, cv::COLOR_RGB2YCrCb);
  recoloured += cv::Scalar(0, 40, -40);
  cv::cvtColor(recoloured, recoloured, cv::COLOR_YCrCb2RGB);
  EXPECT_GT(Compare(Print(scene).thumbnail, Print(FromMat(recoloured)).thumbnail, 0).chroma_difference, 15);
}

TEST(FingerprintTest, BrightnessAndSharpnessMeasureThem) {
  const cv::Mat scene = ToMat(Scene(5, 700, 900));
  cv::Mat dark, blurred;
  scene.convertTo(dark, -1, 0.3);
  cv::GaussianBlur(scene, blurred, {}, 4);
  const Fingerprint print = Print(FromMat(scene));
  EXPECT_NEAR(Print(FromMat(dark)).brightness, 0.3 * print.brightness, 1);
  EXPECT_NEAR(Print(FromMat(blurred)).brightness, print.brightness, 1);
  EXPECT_LT(Print(FromMat(blurred)).sharpness, 0.2 * print.sharpness);
  EXPECT_EQ(Print(FromMat(cv::Mat(40, 50, CV_8UC3, cv::Scalar(255, 255, 255)))).brightness, 255);
}

TEST(FingerprintTest, FlatPicturesHaveNoContrast) {
  const Fingerprint flat = Print(FromMat(cv::Mat(40, 50, CV_8UC3, cv::Scalar(10, 200, 30))));
  EXPECT_EQ(Contrast(flat.thumbnail), 0);
  EXPECT_EQ(flat.sharpness, 0);
  EXPECT_EQ(Compare(flat.thumbnail, flat.thumbnail, 0).correlation, 0);
  EXPECT_GT(Contrast(Print(Scene(6)).thumbnail), 20);
}

TEST(FingerprintTest, OddShapesHaveOneToo) {
  for (const auto& [height, width] : {std::pair(1, 1), {1, 4000}, {4000, 1}, {3, 2}, {513, 1025}}) {
    const absl::StatusOr<Fingerprint> print = FingerprintOf(Scene(7, height, width));
    ASSERT_OK(print) << height << "x" << width;
    EXPECT_EQ(print->pixel_sha256.size(), 64u);
  }
}

}  // namespace
}  // namespace graft::image
