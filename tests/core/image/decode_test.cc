#include "core/image/decode.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <optional>

#include "core/base/errors.h"
#include "tests/core/image/made_images.h"
#include "tests/testing/assets.h"
#include "tests/testing/status_matchers.h"

namespace graft::image {
namespace {

using ::graft::testing::StatusIs;
using ::testing::AllOf;
using testing::Contents;
using testing::Encode;
using testing::Gradient;
using ::testing::HasSubstr;
using testing::MeanDifference;
using testing::WithOrientation;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class EveryFormatTest : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Formats, EveryFormatTest, ::testing::Values(".jpg", ".png", ".webp", ".bmp"),
                         [](const auto& info) { return std::string(info.param + 1); });

TEST_P(EveryFormatTest, DecodesToTheSamePictureInRgbOrder) {
  const Image photo = Gradient(37, 53);
  ASSERT_OK_AND_ASSIGN(const Image decoded, DecodeImage(Encode(photo, GetParam()), {}));
  EXPECT_LT(MeanDifference(decoded, photo), 3);
}

TEST_P(EveryFormatTest, HeaderTellsSizeWithoutThePixels) {
  const std::string bytes = Encode(Gradient(37, 53), GetParam());
  ASSERT_OK_AND_ASSIGN(const Header header, ReadHeader(bytes, {}));
  EXPECT_EQ(header.height, 37);
  EXPECT_EQ(header.width, 53);
}

TEST_P(EveryFormatTest, EveryTruncationIsAnError) {
  const std::string bytes = Encode(Gradient(40, 60), GetParam());
  for (size_t size = 0; size < bytes.size(); size += size + 64 < bytes.size() ? 1 + size / 16 : 1) {
    EXPECT_THAT(DecodeImage(absl::string_view(bytes).substr(0, size), {}), StatusIs(kInvalid)) << size;
  }
}

TEST_P(EveryFormatTest, LimitsHoldExactly) {
  const std::string bytes = Encode(Gradient(30, 50), GetParam());
  const int64_t size = static_cast<int64_t>(bytes.size());
  EXPECT_THAT(DecodeImage(bytes, {.max_bytes = size - 1}), StatusIs(kInvalid, HasSubstr("bytes")));
  EXPECT_OK(DecodeImage(bytes, {.max_bytes = size}));
  EXPECT_OK(DecodeImage(bytes, {.max_bytes = size + 1}));
  EXPECT_THAT(DecodeImage(bytes, {.max_pixels = 1499}),
              StatusIs(kInvalid, AllOf(HasSubstr("1500"), HasSubstr("1499"))));
  EXPECT_OK(DecodeImage(bytes, {.max_pixels = 1500}));
  EXPECT_OK(DecodeImage(bytes, {.max_pixels = 1501}));
  EXPECT_THAT(DecodeImage(bytes, {.max_side = 49}), StatusIs(kInvalid, HasSubstr("50x30")));
  EXPECT_OK(DecodeImage(bytes, {.max_side = 50}));
  EXPECT_OK(DecodeImage(bytes, {.max_side = 51}));
}

TEST_P(EveryFormatTest, DamagedBytesGiveAPictureOrAnErrorButNothingElse) {
  const std::string good = Encode(Gradient(24, 24), GetParam());
  for (size_t i = 0; i < good.size(); i += 1 + good.size() / 300) {
    std::string bytes = good;
    bytes[i] = static_cast<char>(bytes[i] ^ 0xff);
    const absl::StatusOr<Image> decoded = DecodeImage(bytes, {.max_pixels = 100'000});
    if (decoded.ok()) {
      EXPECT_EQ(decoded->pixels.size(), size_t(decoded->height) * size_t(decoded->width) * 3) << i;
    } else {
      EXPECT_THAT(decoded, StatusIs(kInvalid)) << i;
    }
  }
}

TEST(DecodeImageTest, ScanLimitHoldsExactly) {
  const std::string bytes = Encode(Gradient(64, 64), ".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  int scans = 0;
  for (size_t i = 0; i + 1 < bytes.size(); ++i) scans += bytes[i] == '\xff' && bytes[i + 1] == '\xda';
  ASSERT_GT(scans, 4);
  EXPECT_OK(DecodeImage(bytes, {.max_jpeg_scans = scans}));
  EXPECT_THAT(DecodeImage(bytes, {.max_jpeg_scans = scans - 1}), StatusIs(kInvalid, HasSubstr("scans")));
}

std::string Encoded(const cv::Mat& picture, const std::string& extension, const std::vector<int>& parameters = {}) {
  std::vector<uint8_t> bytes;
  EXPECT_TRUE(cv::imencode(extension, picture, bytes, parameters));
  return std::string(bytes.begin(), bytes.end());
}

// Each scan is a pass over 16 million pixels, and hardly any bytes.
TEST(DecodeImageTest, AJpegHasSoMuchTime) {
  const std::string bytes =
      Encoded(cv::Mat(4000, 4000, CV_8UC3, cv::Scalar(1, 2, 3)), ".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  EXPECT_OK(DecodeImage(bytes, {.max_jpeg_time = absl::Seconds(60)}));
  EXPECT_THAT(DecodeImage(bytes, {.max_jpeg_time = absl::Milliseconds(1)}),
              StatusIs(kInvalid, HasSubstr("more than 0.001 s to decode: save it again as a baseline JPEG")));
}

// In the process's peak, which the kernel counts from a reset on.
int64_t PeakBytes(const std::function<void()>& work) {
  const auto field = [](const std::string& name) {
    std::ifstream status("/proc/self/status");
    int64_t kilobytes = 0;
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(name)) kilobytes = std::stoll(line.substr(name.size()));
    }
    return kilobytes << 10;
  };
  std::ofstream("/proc/self/clear_refs") << 5;
  const int64_t before = field("VmRSS:");
  work();
  return field("VmHWM:") - before;
}

TEST(DecodeImageTest, APixelTakesSoManyBytesAtMost) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's own memory would count";
#endif
  constexpr int kSide = 3000;
  const cv::Mat photo = cv::Mat(kSide, kSide, CV_8UC3, cv::Scalar(1, 2, 3));
  const cv::Mat deep = cv::Mat(kSide, kSide, CV_16UC4, cv::Scalar(1, 2, 3, 4));
  const std::string turned = WithOrientation(Encoded(photo, ".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1}), 6);
  for (const std::string& bytes : {turned, Encoded(deep, ".png"), Encoded(photo, ".webp"), Encoded(photo, ".bmp")}) {
    const int64_t peak = PeakBytes([&] { EXPECT_OK(DecodeImage(bytes, {.max_bytes = 64 << 20})); });
    EXPECT_LT(peak, int64_t{kSide} * kSide * kMostDecodeBytesPerPixel + (16 << 20)) << bytes.substr(0, 4);
  }
}

TEST(DecodeImageTest, ErrorNamesTheFieldAndWhatTheFileLooksLike) {
  const absl::Status gif = DecodeImage("GIF89a\1\0\1\0", {}).status();
  EXPECT_THAT(gif, StatusIs(kInvalid, AllOf(HasSubstr("GIF"), HasSubstr("accepted are JPEG, PNG, WebP and BMP"))));
  const std::optional<ErrorDetail> detail = DetailOf(gif);
  ASSERT_TRUE(detail.has_value() && std::holds_alternative<FieldDetail>(*detail));
  EXPECT_EQ(std::get<FieldDetail>(*detail).field, "image");
  EXPECT_THAT(DecodeImage("", {}), StatusIs(kInvalid, HasSubstr("empty")));
  EXPECT_THAT(DecodeImage("hello", {}), StatusIs(kInvalid, HasSubstr("not a picture")));
}

TEST(DecodeImageTest, AlphaIsDroppedNotComposed) {
  cv::Mat bgra(4, 4, CV_8UC4, cv::Scalar(10, 20, 30, 0));
  for (const char* extension : {".png", ".webp"}) {
    std::vector<uint8_t> bytes;
    cv::imencode(extension, bgra, bytes, {cv::IMWRITE_WEBP_QUALITY, 101});
    ASSERT_OK_AND_ASSIGN(const Image decoded, DecodeImage(std::string(bytes.begin(), bytes.end()), {}));
    if (std::string(extension) == ".png") {  // libwebp's encoder clears colours that nobody can see
      EXPECT_EQ(decoded.pixels[0], 30);
      EXPECT_EQ(decoded.pixels[1], 20);
      EXPECT_EQ(decoded.pixels[2], 10);
    }
    EXPECT_EQ(decoded.pixels.size(), 48u);
  }
}

TEST(DecodeImageTest, SixteenBitsKeepTheirHighByte) {
  std::vector<uint8_t> bytes;
  cv::imencode(".png", cv::Mat(2, 2, CV_16UC1, cv::Scalar(0x7fff)), bytes);
  ASSERT_OK_AND_ASSIGN(const Image decoded, DecodeImage(std::string(bytes.begin(), bytes.end()), {}));
  EXPECT_EQ(decoded.pixels, std::vector<uint8_t>(12, 0x7f));
}

TEST(DecodeImageTest, CmykLooksLikeItsRgbTwin) {
  REQUIRE_ASSET(folder, "odd_images");
  ASSERT_OK_AND_ASSIGN(const Image cmyk, DecodeImage(Contents(folder + "/pillow_pil_sample_cmyk.jpg"), {}));
  ASSERT_OK_AND_ASSIGN(const Image rgb, DecodeImage(Contents(folder + "/pillow_pil_sample_rgb.jpg"), {}));
  // Without colour profiles the two differ somewhat; an inverted picture would be off by about 128.
  EXPECT_LT(MeanDifference(cmyk, rgb), 25);
}

}  // namespace
}  // namespace graft::image
