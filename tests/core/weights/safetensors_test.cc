#include "core/weights/safetensors.h"

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::weights {
namespace {

using ::graft::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;

std::string LittleEndian64(uint64_t value) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(value >> shift & 0xFF));
  return bytes;
}

std::string File(const std::string& header, const std::string& data = "") {
  return LittleEndian64(header.size()) + header + data;
}

void ExpectRefused(const std::string& bytes, const std::string& reason) {
  EXPECT_THAT(Safetensors::Parse(bytes), StatusIs(kDataLoss, HasSubstr(reason)));
}

TEST(SafetensorsTest, WrittenTensorsAreReadBack) {
  const std::string values(24, 'v');
  const std::string bytes = Serialize({{"b/kernel", {DType::kF32, {2, 3}, values}},
                                       {"a", {DType::kI64, {}, absl::string_view(values).substr(0, 8)}},
                                       {"empty", {DType::kU8, {0, 5}, ""}}},
                                      {{"format", "graft"}});
  ASSERT_OK_AND_ASSIGN(const Safetensors file, Safetensors::Parse(bytes));
  EXPECT_THAT(file.metadata(), ElementsAre(Pair("format", "graft")));
  ASSERT_EQ(file.tensors().size(), 3U);
  EXPECT_THAT(file.tensors().at("b/kernel").shape, ElementsAre(2, 3));
  EXPECT_EQ(file.tensors().at("b/kernel").data, values);
  EXPECT_EQ(file.tensors().at("a").dtype, DType::kI64);
  EXPECT_TRUE(file.tensors().at("empty").data.empty());
}

TEST(SafetensorsTest, DataStartsAligned) {
  const std::string bytes = Serialize({{"a", {DType::kU8, {1}, "x"}}}, {});
  EXPECT_EQ((bytes.size() - 1) % 8, 0U);
}

TEST(SafetensorsTest, ViewsSurviveMoves) {
  // The smallest file there is fits a string's inline buffer: the case in which a naive move breaks the views.
  ASSERT_OK_AND_ASSIGN(Safetensors tiny, Safetensors::Parse(File("{}")));
  EXPECT_TRUE(tiny.tensors().empty());
  ASSERT_OK_AND_ASSIGN(Safetensors file, Safetensors::Parse(Serialize({{"a", {DType::kU8, {4}, "data"}}}, {})));
  const char* before = file.tensors().at("a").data.data();
  Safetensors moved = std::move(file);
  tiny = std::move(moved);
  EXPECT_EQ(tiny.tensors().at("a").data, "data");
  EXPECT_EQ(tiny.tensors().at("a").data.data(), before);
}

TEST(SafetensorsTest, HeaderLengthBeyondTheFileIsRefused) {
  ExpectRefused("", "shorter");
  ExpectRefused("1234567", "shorter");
  ExpectRefused(LittleEndian64(3) + "{}", "truncated");
  ExpectRefused(LittleEndian64((8 << 20) + 1) + "{}", "limit");
  ExpectRefused(LittleEndian64(~uint64_t{0}) + "{}", "limit");
}

TEST(SafetensorsTest, HeaderThatIsNoObjectIsRefused) {
  ExpectRefused(File(""), "'{'");
  ExpectRefused(File(" {}"), "'{'");
  ExpectRefused(File("[]"), "'{'");
  ExpectRefused(File("{"), "JSON");
  ExpectRefused(File("{}{}"), "JSON");
  ExpectRefused(File("{\"\xff\":1}"), "JSON");
  ExpectRefused(File(std::string(100000, '{')), "JSON");
  ExpectRefused(File("{\"a\":" + std::string(100000, '[')), "array");
}

TEST(SafetensorsTest, OffsetsOutsideTheDataAreRefused) {
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", "abc"), "truncated");
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[4,3]}})", "abcd"), "data_offsets");
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}})", "abcd"), "negative");
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,18446744073709551615]}})", "a"), "large");
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", "a"), "data_offsets");
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}})", "a"), "data_offsets");
}

TEST(SafetensorsTest, OverlapsHolesAndTrailingBytesAreRefused) {
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                     R"("b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
                     "abcd"),
                "b: overlaps");
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                     R"("b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
                     "abcd"),
                "b: leaves a hole");
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "abc"), "2 bytes behind");
  ExpectRefused(File("{}", "a"), "1 bytes behind");
}

TEST(SafetensorsTest, ShapeMustMatchBytesWithoutOverflow) {
  ExpectRefused(File(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "abcd"), "need 8 bytes");
  ExpectRefused(File(R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", "abcd"),
                "overflows");
  ExpectRefused(File(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"), "overflows");
  ExpectRefused(File(R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", "abcd"), "integer");
}

TEST(SafetensorsTest, DuplicatesAreRefused) {
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                     R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                     "ab"),
                "a: duplicate name");
  ExpectRefused(File(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "a"), "duplicate key");
  ExpectRefused(File(R"({"__metadata__":{"k":"v","k":"w"}})"), "duplicate key");
  ExpectRefused(File(R"({"__metadata__":{},"__metadata__":{}})"), "duplicate name");
}

TEST(SafetensorsTest, MalformedEntriesAreRefused) {
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[1]}})"), "needs dtype, shape and data_offsets");
  ExpectRefused(File(R"({"a":{"dtype":"Q8","shape":[1],"data_offsets":[0,1]}})", "a"), "unknown dtype");
  ExpectRefused(File(R"({"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})", "a"), "a number where");
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":"1","data_offsets":[0,1]}})", "a"), "a string where");
  ExpectRefused(File(R"({"a":{"more":[]}})"), "unknown key");
  ExpectRefused(File(R"({"a":7})"), "a number where");
  ExpectRefused(File(R"({"a":[{}]})"), "an array where");
  ExpectRefused(File(R"({"a":null})"), "null where");
  ExpectRefused(File(R"({"__metadata__":{"k":1}})"), "a number where");
  ExpectRefused(File(R"({"__metadata__":{"k":{}}})"), "an object where");
}

TEST(SafetensorsTest, RankAndCountAreLimited) {
  ExpectRefused(File(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", "a"), "more than 8");
  EXPECT_OK(Safetensors::Parse(File(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", "a")));
  std::string header = "{";
  for (int i = 0; i < 4097; ++i) {
    absl::StrAppend(&header, i == 0 ? "" : ",", "\"", i, R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})");
  }
  ExpectRefused(File(header + "}"), "more than 4096 tensors");
}

TEST(SafetensorsTest, LoadChecksTheDigestOfWhatItParses) {
  const testing::TemporaryFolder folder;
  const std::string bytes = Serialize({{"a", {DType::kU8, {4}, "data"}}}, {});
  std::ofstream(folder / "w") << bytes;
  EXPECT_OK(Safetensors::Load(folder / "w", Sha256Hex(bytes)));
  EXPECT_OK(Safetensors::Load(folder / "w", ""));
  EXPECT_THAT(Safetensors::Load(folder / "w", std::string(64, '0')),
              StatusIs(kDataLoss, AllOf(HasSubstr(folder / "w"), HasSubstr(Sha256Hex(bytes)))));
  EXPECT_THAT(Safetensors::Load(folder / "missing", ""), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace graft::weights
