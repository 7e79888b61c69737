#include "server/services/open_inference_tensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/status_matchers.h"

namespace graft::services {
namespace {

using ::graft::testing::StatusIs;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Shape = std::vector<int64_t>;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr ImageTensorLimits kLimits = {.input_size = 2, .max_images = 3, .max_bytes = 100};
constexpr size_t kValues = 2 * 2 * 3;  // of an image

absl::StatusOr<TensorImages> Read(const TensorView& tensor) {
  return ReadImages("inputs[0]", tensor, kLimits);
}

absl::StatusOr<TensorImages> ReadRaw(absl::string_view datatype, const Shape& shape, const std::string& raw) {
  return Read({.datatype = datatype, .shape = shape, .raw = raw});
}

absl::StatusOr<TensorImages> ReadFloats(const Shape& shape, const std::vector<float>& values) {
  return Read({.datatype = "FP32", .shape = shape, .raw = {}, .floats = values});
}

std::string Elements(const std::vector<std::string>& elements) {
  std::string raw;
  for (const std::string& element : elements) AppendRawBytes(element, &raw);
  return raw;
}

TEST(OpenInferenceTensorsTest, FloatsAreRoundedToTheNearestByte) {
  std::vector<float> values(2 * kValues, 7.0F);
  values[0] = 0.0F, values[1] = 0.49F, values[2] = 0.5F, values[3] = 254.5F, values[4] = 255.0F, values[5] = -0.0F;
  const std::string raw = RawFloats(values);
  for (const auto& images : {ReadFloats({2, 2, 2, 3}, values), ReadRaw("FP32", {2, 2, 2, 3}, raw)}) {
    ASSERT_OK(images);
    EXPECT_TRUE(images->encoded.empty());
    ASSERT_THAT(images->pixels, SizeIs(2));
    EXPECT_THAT(images->pixels[0], ElementsAre(0, 0, 1, 255, 255, 0, 7, 7, 7, 7, 7, 7));
    EXPECT_THAT(images->pixels[1], ElementsAre(7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7));
  }
}

TEST(OpenInferenceTensorsTest, RawFloatsNeedNoAlignment) {
  const std::string shifted = "x" + RawFloats(std::vector<float>(kValues, 9.0F));
  const Shape shape = {1, 2, 2, 3};
  const auto images = Read({.datatype = "FP32", .shape = shape, .raw = absl::string_view(shifted).substr(1)});
  ASSERT_OK(images);
  EXPECT_THAT(images->pixels[0], Each(9));
}

TEST(OpenInferenceTensorsTest, FloatsOutsideTheRangeAreNamed) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {-0.001F, -1.0F, 255.001F, 3e38F, infinity, -infinity, std::nanf("")}) {
    std::vector<float> values(2 * kValues, 1.0F);
    values[kValues + 2] = bad;
    EXPECT_THAT(ReadFloats({2, 2, 2, 3}, values), StatusIs(kInvalid, HasSubstr("at 14 is not within 0 to 255"))) << bad;
  }
}

TEST(OpenInferenceTensorsTest, BytesOfPixelsAreTakenAsTheyAre) {
  const std::string raw = "abcdefghijkl";
  ASSERT_OK_AND_ASSIGN(const TensorImages images, ReadRaw("UINT8", {1, 2, 2, 3}, raw));
  EXPECT_EQ(std::string(images.pixels[0].begin(), images.pixels[0].end()), raw);
  std::vector<uint32_t> integers(2 * kValues, 255);
  integers.back() = 4;
  const Shape shape = {2, 2, 2, 3};
  const TensorView view{.datatype = "UINT8", .shape = shape, .raw = {}, .floats = {}, .integers = integers};
  ASSERT_OK_AND_ASSIGN(const TensorImages two, Read(view));
  EXPECT_EQ(two.pixels[1].back(), 4);
  EXPECT_EQ(two.pixels[1].front(), 255);
  integers[3] = 256;
  EXPECT_THAT(Read(view), StatusIs(kInvalid, HasSubstr("above 255")));
}

TEST(OpenInferenceTensorsTest, EncodedImagesStandAfterTheirLength) {
  const std::string raw = Elements({"first", "", std::string("nul\0byte", 8)});
  ASSERT_OK_AND_ASSIGN(const TensorImages images, ReadRaw("BYTES", {3}, raw));
  EXPECT_THAT(images.encoded, ElementsAre("first", "", std::string("nul\0byte", 8)));
  EXPECT_TRUE(images.pixels.empty());
  const std::string one = "one", two = "two";
  const std::string* const elements[] = {&one, &two};
  const Shape shape = {2};
  TensorView typed{.datatype = "BYTES", .shape = shape};
  typed.bytes = elements;
  ASSERT_OK_AND_ASSIGN(const TensorImages pair, Read(typed));
  EXPECT_THAT(pair.encoded, ElementsAre("one", "two"));
}

TEST(OpenInferenceTensorsTest, WrongLengthPrefixesAreRefused) {
  const std::string raw = Elements({"first", "second"});
  EXPECT_THAT(ReadRaw("BYTES", {2}, ""), StatusIs(kInvalid, HasSubstr("before the length of element 0")));
  EXPECT_THAT(ReadRaw("BYTES", {2}, raw.substr(0, 11)),
              StatusIs(kInvalid, HasSubstr("before the length of element 1")));
  EXPECT_THAT(ReadRaw("BYTES", {2}, raw.substr(0, raw.size() - 1)), StatusIs(kInvalid, HasSubstr("length prefix 6")));
  EXPECT_THAT(ReadRaw("BYTES", {2}, raw + "x"), StatusIs(kInvalid, HasSubstr("1 bytes after the last")));
  EXPECT_THAT(ReadRaw("BYTES", {1}, raw), StatusIs(kInvalid, HasSubstr("10 bytes after the last")));
  EXPECT_THAT(ReadRaw("BYTES", {1}, "\xff\xff\xff\xff"), StatusIs(kInvalid, HasSubstr("4294967295")));
}

TEST(OpenInferenceTensorsTest, ShapesThatAreNotTheModelsAreRefused) {
  const std::vector<float> image(kValues, 1.0F);
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{2, 2, 3}, Shape{1, 3, 2, 2}, Shape{1, 2, 2, 4},
                             Shape{1, -2, -2, 3}, Shape{1, 2, 2, 3, 1}, Shape(1000, 1)}) {
    EXPECT_THAT(ReadFloats(shape, image), StatusIs(kInvalid, HasSubstr("is not [N, 2, 2, 3]")));
  }
  for (const Shape& shape : {Shape{}, Shape{1, 1}}) {
    EXPECT_THAT(ReadRaw("BYTES", shape, Elements({"x"})), StatusIs(kInvalid, HasSubstr("is not [N]")));
  }
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max(), kLeast = std::numeric_limits<int64_t>::min();
  for (const int64_t images : {int64_t{0}, int64_t{-1}, int64_t{4}, int64_t{1} << 62, kMost, kLeast}) {
    EXPECT_THAT(ReadFloats({images, 2, 2, 3}, image), StatusIs(kInvalid, HasSubstr("N must be 1 to 3"))) << images;
    EXPECT_THAT(ReadRaw("BYTES", {images}, ""), StatusIs(kInvalid, HasSubstr("N must be 1 to 3"))) << images;
  }
}

TEST(OpenInferenceTensorsTest, ContentsMustBeAsLargeAsTheShapeSays) {
  for (const size_t values : {size_t{0}, kValues - 1, kValues + 1, 2 * kValues}) {
    const std::vector<float> floats(values, 1.0F);
    EXPECT_THAT(ReadFloats({1, 2, 2, 3}, floats), StatusIs(kInvalid, HasSubstr("needs 12 values")));
    EXPECT_THAT(ReadRaw("FP32", {1, 2, 2, 3}, RawFloats(floats)), StatusIs(kInvalid, HasSubstr("needs 48 bytes")));
    EXPECT_THAT(ReadRaw("UINT8", {1, 2, 2, 3}, std::string(values, 'x')), StatusIs(kInvalid, HasSubstr("needs 12")));
  }
  EXPECT_THAT(ReadRaw("FP32", {1, 2, 2, 3}, std::string(47, 'x')), StatusIs(kInvalid, HasSubstr("have 47")));
}

TEST(OpenInferenceTensorsTest, ImagesTogetherAreBounded) {
  EXPECT_OK(ReadRaw("BYTES", {1}, Elements({std::string(96, 'x')})));
  EXPECT_THAT(ReadRaw("BYTES", {1}, Elements({std::string(97, 'x')})), StatusIs(kInvalid, HasSubstr("limit is 100")));
  EXPECT_THAT(ReadFloats({3, 2, 2, 3}, std::vector<float>(3 * kValues, 1.0F)),
              StatusIs(kInvalid, HasSubstr("limit is 100")));
}

TEST(OpenInferenceTensorsTest, ContentsStandInOnePlace) {
  const std::vector<float> floats(kValues, 1.0F);
  const std::string raw = RawFloats(floats);
  const Shape shape = {1, 2, 2, 3};
  TensorView both{.datatype = "FP32", .shape = shape, .raw = raw, .floats = floats};
  EXPECT_THAT(Read(both), StatusIs(kInvalid, HasSubstr("must be empty when raw_input_contents")));
  TensorView other{.datatype = "UINT8", .shape = shape, .raw = {}, .floats = floats};
  EXPECT_THAT(Read(other), StatusIs(kInvalid, HasSubstr("contents.uint_contents")));
  TensorView strange{.datatype = "FP32", .shape = shape, .raw = {}, .floats = floats};
  strange.has_other_contents = true;
  EXPECT_THAT(Read(strange), StatusIs(kInvalid, HasSubstr("contents.fp32_contents")));
}

TEST(OpenInferenceTensorsTest, UnknownDatatypesAreRefused) {
  for (const std::string& datatype :
       {std::string(), std::string("INT32"), std::string("fp32"), std::string(1000, 'F')}) {
    const absl::Status status = ReadRaw(datatype, {1, 2, 2, 3}, "").status();
    EXPECT_THAT(status, StatusIs(kInvalid, HasSubstr("inputs[0].datatype")));
    EXPECT_LT(status.message().size(), 200U);
  }
}

}  // namespace
}  // namespace graft::services
