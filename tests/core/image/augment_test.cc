// What an augmented copy may and may not differ in, and of what its random numbers are a function.
#include "core/image/augment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/image/resize.h"
#include "tests/core/image/made_images.h"
#include "tests/testing/status_matchers.h"

namespace graft::image {
namespace {

using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;
using testing::Encode;
using testing::Gradient;
using ::testing::HasSubstr;
using testing::WithOrientation;

constexpr StretchTarget kTarget{.height = 48, .width = 48};
using Bytes = std::vector<uint8_t>;

AugmentSpec Crops(double area) {
  return {.min_crop_area = area, .max_crop_area = area};
}

AugmentSpec Everything() {
  AugmentSpec spec = *NamedAugment("strong");
  spec.rotation = 20;
  spec.zoom = 0.2;
  spec.brightness = spec.contrast = spec.saturation = 0.4;
  spec.hue = 0.1;
  spec.erase = 1;
  return spec;
}

Bytes Augmented(const std::string& photo, const AugmentSpec& spec, uint64_t seed) {
  Bytes input(48 * 48 * 3);
  EXPECT_OK(DecodeAugmented(photo, {}, kTarget, spec, seed, absl::MakeSpan(input)));
  return input;
}

std::string Photo() {
  return Encode(Gradient(100, 150), ".jpg");
}

TEST(AugmentTest, OffIsTheStretchedPhoto) {
  const std::string photo = Photo();
  ASSERT_OK_AND_ASSIGN(const StretchedImage plain, DecodeStretched(photo, {}, kTarget));
  EXPECT_EQ(Augmented(photo, {}, 1), plain.pixels);
  EXPECT_EQ(KeyOf(AugmentSpec{}), "none");
}

TEST(AugmentTest, IsAFunctionOfTheSeed) {
  const std::string photo = Photo();
  for (const std::string& name : AugmentNames()) {
    ASSERT_OK_AND_ASSIGN(const AugmentSpec spec, NamedAugment(name));
    ASSERT_OK(Validate(spec));
    std::set<Bytes> copies;
    for (uint64_t seed = 0; seed < 20; ++seed) {
      copies.insert(Augmented(photo, spec, seed));
      EXPECT_EQ(Augmented(photo, spec, seed), Augmented(photo, spec, seed));
    }
    EXPECT_EQ(copies.size(), name == "none" ? 1u : 20u) << name;
  }
}

TEST(AugmentTest, DoesNotDependOnTheThread) {
  const std::string photo = Photo();
  constexpr size_t kSeeds = 12;
  std::vector<Bytes> here, there(kSeeds);
  for (size_t seed = 0; seed < kSeeds; ++seed) here.push_back(Augmented(photo, Everything(), seed));
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      for (size_t seed = thread; seed < kSeeds; seed += 3) there[seed] = Augmented(photo, Everything(), seed);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(here, there);
}

TEST(AugmentTest, BothStepsAreTheWholeOfIt) {
  const std::string photo = Photo();
  for (const AugmentSpec& spec : {AugmentSpec{}, AugmentSpec{.flip = 1}, Crops(0.5), Everything()}) {
    ASSERT_OK_AND_ASSIGN(const Image picture, DecodeForAugment(photo, {}, kTarget, spec));
    Bytes input(48 * 48 * 3);
    ASSERT_OK(MakeInput(picture, spec, 5, 48, 48, absl::MakeSpan(input)));
    EXPECT_EQ(input, Augmented(photo, spec, 5));
  }
}

TEST(AugmentSeedTest, DependsOnRunPhotoAndEpoch) {
  const std::string a(64, 'a'), b(64, 'b');
  const std::set<uint64_t> seeds = {AugmentSeed(1, a, 1), AugmentSeed(1, a, 2), AugmentSeed(1, b, 1),
                                    AugmentSeed(2, a, 1), AugmentSeed(2, b, 2)};
  EXPECT_EQ(seeds.size(), 5u);
  EXPECT_EQ(AugmentSeed(1, a, 1), AugmentSeed(1, a, 1));
}

TEST(AugmentTest, AnOperationKeepsItsRandomNumbersBesideOthers) {
  // Of 64 photos, those that are mirrored stay so when colours change too.
  const Image picture = Gradient(48, 48);
  for (uint64_t seed = 0; seed < 64; ++seed) {
    Bytes flipped = picture.pixels, both = picture.pixels;
    ASSERT_OK(Augment({.flip = 0.5}, seed, absl::MakeSpan(flipped), 48, 48));
    ASSERT_OK(Augment({.flip = 0.5, .brightness = 0.1}, seed, absl::MakeSpan(both), 48, 48));
    const auto is_mirrored = [](const Bytes& pixels) { return pixels[0] > pixels[47 * 3]; };
    EXPECT_EQ(is_mirrored(flipped), is_mirrored(both));
  }
}

TEST(AugmentTest, FlipsTheShareAskedFor) {
  const Image picture = Gradient(8, 8);
  int flipped = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Bytes pixels = picture.pixels;
    ASSERT_OK(Augment({.flip = 0.3}, seed, absl::MakeSpan(pixels), 8, 8));
    flipped += pixels != picture.pixels ? 1 : 0;
  }
  EXPECT_NEAR(flipped, 600, 120);
}

// A picture whose colours are its coordinates tells where each pixel came from.
Image Coordinates(int side) {
  Image image{.height = side, .width = side, .pixels = {}};
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      image.pixels.push_back(static_cast<uint8_t>(x));
      image.pixels.push_back(static_cast<uint8_t>(y));
      image.pixels.push_back(0);
    }
  }
  return image;
}

TEST(AugmentTest, CropsHaveTheAreaAndRatioAskedFor) {
  const Image picture = Coordinates(200);
  const AugmentSpec spec{.min_crop_area = 0.2, .max_crop_area = 0.4, .min_crop_ratio = 0.5, .max_crop_ratio = 2};
  double least_left = 200, most_left = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Bytes input(48 * 48 * 3);
    ASSERT_OK(MakeInput(picture, spec, seed, 48, 48, absl::MakeSpan(input)));
    // From the first pixel's centre to the last one's, of 48.
    const double width = (input[47 * 3] - input[0]) * 48.0 / 47,
                 height = (input[47 * 48 * 3 + 1] - input[1]) * 48.0 / 47;
    const double area = width * height / 40000, ratio = width / height;
    EXPECT_GT(area, 0.19);
    EXPECT_LT(area, 0.42);
    EXPECT_GT(ratio, 0.47);
    EXPECT_LT(ratio, 2.12);
    least_left = std::min<double>(least_left, input[0]);
    most_left = std::max<double>(most_left, input[0]);
  }
  EXPECT_LT(least_left, 10);
  EXPECT_GT(most_left, 90);
}

TEST(AugmentTest, RatiosThatNeverFitGiveTheLargestMiddlePart) {
  const Image picture = Coordinates(200);
  const AugmentSpec spec{.min_crop_ratio = 2, .max_crop_ratio = 3};  // of the whole area
  Bytes input(48 * 48 * 3);
  ASSERT_OK(MakeInput(picture, spec, 1, 48, 48, absl::MakeSpan(input)));
  EXPECT_NEAR(input[0], 2, 1);                  // whole width
  EXPECT_NEAR(input[1], 51, 1);                 // from a quarter of the height
  EXPECT_NEAR(input[47 * 48 * 3 + 1], 148, 1);  // to three quarters
}

TEST(AugmentTest, CropsOfALargePhotoHaveThePhotosPixels) {
  // Stripes of two pixels in a photo of 96: the input's 48 columns cannot show them, those of a crop of a quarter can.
  Image stripes{.height = 96, .width = 96, .pixels = {}};
  for (int i = 0; i < 96 * 96; ++i) stripes.pixels.insert(stripes.pixels.end(), 3, i % 96 / 2 % 2 == 0 ? 0 : 255);
  const std::string photo = Encode(stripes, ".png");
  const Bytes crop = Augmented(photo, Crops(0.25), 3);
  int jumps = 0;
  for (size_t x = 1; x < 48; ++x) jumps += std::abs(crop[x * 3] - crop[x * 3 - 3]) > 100 ? 1 : 0;
  EXPECT_GT(jumps, 15);  // 24 stripes
}

TEST(AugmentTest, CropsAreOfTheUprightPhoto) {
  const std::string photo = Encode(Gradient(400, 600), ".jpg", {});
  const AugmentSpec spec = Crops(0.3);
  const std::string turned = WithOrientation(photo, 3);
  const Bytes upright = Augmented(photo, spec, 9), upside_down = Augmented(turned, spec, 9);
  ASSERT_OK_AND_ASSIGN(const Image whole, DecodeForAugment(turned, {}, kTarget, spec));
  ASSERT_OK_AND_ASSIGN(const Image stored, DecodeForAugment(photo, {}, kTarget, spec));
  EXPECT_NE(upright, upside_down);
  // Upside down, the first pixel is the stored one's last.
  for (size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(whole.pixels[c], stored.pixels[stored.pixels.size() - 3 + c], 2);
  }
}

TEST(DecodeForAugmentTest, KeepsNoMoreThanCropsNeed) {
  const auto size_of = [](const std::string& photo, const AugmentSpec& spec) {
    const auto picture = DecodeForAugment(photo, {}, kTarget, spec);
    EXPECT_OK(picture);
    return picture.ok() ? std::pair(picture->height, picture->width) : std::pair(0, 0);
  };
  const std::string large = Encode(Gradient(600, 900), ".jpg"), small = Encode(Gradient(40, 60), ".png");
  EXPECT_EQ(size_of(large, {.flip = 0.5}), std::pair(48, 48));
  EXPECT_EQ(size_of(large, Crops(0.64)), std::pair(60, 60));
  EXPECT_EQ(size_of(large, Crops(0.01)), std::pair(96, 96));  // twice the input at most
  EXPECT_EQ(size_of(small, Crops(0.5)), std::pair(40, 60));   // as it is
}

TEST(AugmentTest, ColoursStayWithinTheirFactors) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Bytes pixels(16 * 16 * 3, 100);
    ASSERT_OK(Augment({.brightness = 0.3}, seed, absl::MakeSpan(pixels), 16, 16));
    EXPECT_GE(pixels[0], 70);
    EXPECT_LE(pixels[0], 130);
  }
}

TEST(AugmentTest, RotationKeepsTheMeanOfAPhoto) {
  const Image picture = Gradient(96, 96);
  const auto mean = [](const Bytes& pixels) {
    double sum = 0;
    for (const uint8_t value : pixels) sum += value;
    return sum / double(pixels.size());
  };
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Bytes pixels = picture.pixels;
    ASSERT_OK(Augment({.rotation = 15, .zoom = 0.1}, seed, absl::MakeSpan(pixels), 96, 96));
    EXPECT_NE(pixels, picture.pixels);
    EXPECT_NEAR(mean(pixels), mean(picture.pixels), 6);
  }
}

TEST(AugmentTest, ErasesARectangleOfNoise) {
  double least = 1, most = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Bytes pixels(64 * 80 * 3, 77);
    ASSERT_OK(Augment({.erase = 1}, seed, absl::MakeSpan(pixels), 64, 80));
    int top = 64, left = 80, bottom = -1, right = -1, changed = 0;
    double sum = 0;
    for (int y = 0; y < 64; ++y) {
      for (int x = 0; x < 80; ++x) {
        const uint8_t* pixel = &pixels[size_t(y * 80 + x) * 3];
        if (pixel[0] == 77 && pixel[1] == 77 && pixel[2] == 77) continue;
        ++changed;
        sum += pixel[0] + pixel[1] + pixel[2];
        top = std::min(top, y), left = std::min(left, x), bottom = std::max(bottom, y), right = std::max(right, x);
      }
    }
    if (changed == 0) continue;                                   // ten attempts did not fit
    EXPECT_EQ(changed, (bottom - top + 1) * (right - left + 1));  // whole
    EXPECT_NEAR(sum / changed / 3, 127.5, 25);
    const double area = changed / (64.0 * 80);
    least = std::min(least, area), most = std::max(most, area);
  }
  EXPECT_GT(least, 0.015);
  EXPECT_LT(least, 0.1);
  EXPECT_LT(most, 0.35);
  EXPECT_GT(most, 0.25);
}

TEST(AugmentSpecTest, RefusesWhatIsOutOfRangeByName) {
  const auto message_of = [](const AugmentSpec& spec) { return std::string(Validate(spec).message()); };
  EXPECT_THAT(Validate({.min_crop_area = 0}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(message_of({.min_crop_area = 0}), HasSubstr("min_crop_area"));
  EXPECT_THAT(message_of({.min_crop_area = 0.5, .max_crop_area = 0.4}), HasSubstr("max_crop_area"));
  EXPECT_THAT(message_of({.min_crop_ratio = 0.01}), HasSubstr("min_crop_ratio"));
  EXPECT_THAT(message_of({.max_crop_ratio = 0.5}), HasSubstr("max_crop_ratio"));
  EXPECT_THAT(message_of({.flip = 1.5}), HasSubstr("flip"));
  EXPECT_THAT(message_of({.rotation = -1}), HasSubstr("rotation"));
  EXPECT_THAT(message_of({.zoom = 1}), HasSubstr("zoom"));
  EXPECT_THAT(message_of({.brightness = std::numeric_limits<double>::quiet_NaN()}), HasSubstr("brightness"));
  EXPECT_THAT(message_of({.contrast = 2}), HasSubstr("contrast"));
  EXPECT_THAT(message_of({.saturation = -0.1}), HasSubstr("saturation"));
  EXPECT_THAT(message_of({.hue = 0.6}), HasSubstr("hue"));
  EXPECT_THAT(message_of({.erase = 2}), HasSubstr("erase"));
}

TEST(AugmentSpecTest, EveryFieldIsInTheKey) {
  const std::set<std::string> keys = {KeyOf(AugmentSpec{}),
                                      KeyOf({.min_crop_area = 0.5}),
                                      KeyOf({.min_crop_area = 0.5, .max_crop_area = 0.5}),
                                      KeyOf({.min_crop_ratio = 0.5}),
                                      KeyOf({.max_crop_ratio = 2}),
                                      KeyOf({.flip = 0.5}),
                                      KeyOf({.rotation = 0.5}),
                                      KeyOf({.zoom = 0.5}),
                                      KeyOf({.brightness = 0.5}),
                                      KeyOf({.contrast = 0.5}),
                                      KeyOf({.saturation = 0.5}),
                                      KeyOf({.hue = 0.5}),
                                      KeyOf({.trivial_augment = true}),
                                      KeyOf({.erase = 0.5})};
  EXPECT_EQ(keys.size(), 14u);
}

TEST(AugmentSpecTest, AnUnknownNameListsTheKnownOnes) {
  EXPECT_THAT(NamedAugment("wild"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("none, light, medium, strong")));
}

TEST(ResizeRegionTest, APartIsTheSameAsThatPartOfTheWholeEnlarged) {
  const Image picture = Gradient(60, 80);
  Bytes whole(120 * 160 * 3), part(60 * 40 * 3);
  ResizeRegion(picture, {}, 120, 160, absl::MakeSpan(whole));
  ResizeRegion(picture, {.top = 0.25, .left = 0.5, .height = 0.5, .width = 0.25}, 60, 40, absl::MakeSpan(part));
  for (size_t y = 0; y < 60; ++y) {
    for (size_t i = 0; i < 40 * 3; ++i) ASSERT_NEAR(part[y * 120 + i], whole[(y + 30) * 480 + 240 + i], 1);
  }
}

}  // namespace
}  // namespace graft::image
