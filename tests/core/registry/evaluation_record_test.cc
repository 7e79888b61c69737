#include "core/registry/evaluation_record.h"

#include "absl/strings/str_replace.h"
#include "core/base/file.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::registry {
namespace {

using ::graft::testing::IsOkAndHolds;
using ::graft::testing::StatusIs;
using ::testing::HasSubstr;

EvaluationRecord Example() {
  const Suspect suspect = {.path = "cat/1.jpg",
                           .label = "cat",
                           .predicted = "dog",
                           .probability = 0.75,
                           .label_probability = 0.125,
                           .loss = 2};
  return {
      .labels = {0, 1, 2}, .predictions = {0, 2, 2}, .highest_loss = {suspect}, .disagreements = {suspect, suspect}};
}

TEST(EvaluationRecordTest, ReadsBackWhatItWrote) {
  EXPECT_THAT(EvaluationRecordFromJson(ToJson(Example())), IsOkAndHolds(Example()));
  EXPECT_THAT(EvaluationRecordFromJson(ToJson(EvaluationRecord{})), IsOkAndHolds(EvaluationRecord{}));
  EXPECT_EQ(ToJson(Example()), ToJson(Example()));
}

TEST(EvaluationRecordTest, DamageIsDataLoss) {
  const std::string text = ToJson(Example());
  for (const std::string& damaged :
       {std::string(), text.substr(0, text.size() / 2), absl::StrReplaceAll(text, {{"\"format\":1", "\"format\":2"}}),
        absl::StrReplaceAll(text, {{"predictions", "precisions"}}), absl::StrReplaceAll(text, {{"0.75", "\"much\""}}),
        absl::StrReplaceAll(text, {{"[0,1,2]", "[0,1]"}})}) {
    EXPECT_THAT(EvaluationRecordFromJson(damaged), StatusIs(absl::StatusCode::kDataLoss)) << damaged;
  }
}

TEST(EvaluationRecordTest, FileThatIsNotThereIsNotFound) {
  const testing::TemporaryFolder folder;
  EXPECT_THAT(ReadEvaluationRecord(folder / "evaluation.json"), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK(WriteFileDurably(folder / "evaluation.json", ToJson(Example())));
  EXPECT_THAT(ReadEvaluationRecord(folder / "evaluation.json"), IsOkAndHolds(Example()));
}

TEST(EvaluationRecordTest, PathThatIsNotUtf8IsWrittenReadably) {
  EvaluationRecord record = Example();
  record.highest_loss[0].path = "cat/\xff.jpg";
  ASSERT_OK_AND_ASSIGN(const EvaluationRecord back, EvaluationRecordFromJson(ToJson(record)));
  EXPECT_THAT(back.highest_loss[0].path, HasSubstr(".jpg"));
}

}  // namespace
}  // namespace graft::registry
