#include "core/registry/manifest.h"

#include "absl/strings/str_replace.h"
#include "tests/testing/status_matchers.h"

namespace graft::registry {
namespace {

using ::graft::testing::IsOkAndHolds;
using ::graft::testing::StatusIs;
using ::testing::HasSubstr;

Manifest Example() {
  return {.model = "animals",
          .backbone = "mobilenet_v2",
          .backbone_sha256 = std::string(64, 'a'),
          .labels = {"ant", "b\"ee", "käfer"},
          .preprocess = {.normalization = "minus_one_to_one"},
          .dataset_version = "datasets/animals5/versions/2",
          .dataset_digest = std::string(64, 'b'),
          .split_hash = std::string(64, 'c'),
          .job = "jobs/1",
          .spec_json = R"({"epochs":10})",
          .result_json = R"({"testAccuracy":0.97})",
          .library_versions = {{"libtorch", "2.11.0"}}};
}

TEST(ManifestTest, ReadsBackWhatItWrote) {
  ASSERT_OK_AND_ASSIGN(const std::string text, ToJson(Example()));
  EXPECT_THAT(ManifestFromJson(text), IsOkAndHolds(Example()));
}

TEST(ManifestTest, PrecisionIsF32WhereOldTextsDoNotSay) {
  Manifest manifest = Example();
  manifest.precision = "bf16";
  ASSERT_OK_AND_ASSIGN(const std::string text, ToJson(manifest));
  EXPECT_THAT(ManifestFromJson(text), IsOkAndHolds(manifest));
  EXPECT_THAT(ManifestFromJson(absl::StrReplaceAll(text, {{"  \"precision\": \"bf16\",\n", ""}})),
              IsOkAndHolds(Example()));
  EXPECT_THAT(ManifestFromJson(absl::StrReplaceAll(text, {{"\"bf16\"", "\"int8\""}})),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("int8")));
}

TEST(ManifestTest, TemperatureIsOneWhereOldTextsDoNotSay) {
  Manifest manifest = Example();
  manifest.temperature = 0.75;
  ASSERT_OK_AND_ASSIGN(const std::string text, ToJson(manifest));
  EXPECT_THAT(ManifestFromJson(text), IsOkAndHolds(manifest));
  EXPECT_THAT(ManifestFromJson(absl::StrReplaceAll(text, {{"  \"temperature\": 0.75,\n", ""}})),
              IsOkAndHolds(Example()));
  for (const char* wrong : {"0.0", "-1.0"}) {
    EXPECT_THAT(ManifestFromJson(absl::StrReplaceAll(text, {{"0.75", wrong}})),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("temperature")));
  }
}

TEST(ManifestTest, OldTextsAreOfFrozenBackbones) {
  Manifest manifest = Example();
  manifest.trainable = "blocks:2";
  manifest.base_backbone_sha256 = std::string(64, 'd');
  manifest.init_from = "models/animals/versions/3";
  ASSERT_OK_AND_ASSIGN(const std::string text, ToJson(manifest));
  EXPECT_THAT(ManifestFromJson(text), IsOkAndHolds(manifest));
  ASSERT_OK_AND_ASSIGN(const Manifest old,
                       ManifestFromJson(absl::StrReplaceAll(
                           text, {{",\n  \"trainable\": \"blocks:2\"", ""},
                                  {"  \"base_backbone_sha256\": \"" + std::string(64, 'd') + "\",\n", ""}})));
  EXPECT_EQ(old.trainable, "head");
  EXPECT_EQ(old.base_backbone_sha256, old.backbone_sha256);
}

TEST(ManifestTest, EqualManifestsGiveEqualText) {
  ASSERT_OK_AND_ASSIGN(const std::string text, ToJson(Example()));
  EXPECT_THAT(ToJson(Example()), IsOkAndHolds(text));
}

TEST(ManifestTest, SpecThatIsNoObjectIsInvalid) {
  Manifest manifest = Example();
  manifest.spec_json = "[1]";
  EXPECT_THAT(ToJson(manifest), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec")));
}

TEST(ManifestTest, LabelThatIsNotUtf8IsInvalid) {
  Manifest manifest = Example();
  manifest.labels[0] = "\xff";
  EXPECT_THAT(ToJson(manifest), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ManifestTest, DamageIsDataLossThatNamesTheKey) {
  ASSERT_OK_AND_ASSIGN(const std::string text, ToJson(Example()));
  EXPECT_THAT(ManifestFromJson(text.substr(0, text.size() / 2)), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ManifestFromJson(absl::StrReplaceAll(text, {{"split_hash", "split"}})),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("split_hash")));
  EXPECT_THAT(ManifestFromJson(absl::StrReplaceAll(text, {{"\"format\": 1", "\"format\": 2"}})),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("format 2")));
  EXPECT_THAT(ManifestFromJson("[]"), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace graft::registry
