#include "core/weights/weight_store.h"

#include <filesystem>
#include <fstream>

#include "core/base/digest.h"
#include "core/weights/safetensors.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::weights {
namespace {

using ::graft::testing::StatusIs;
using ::testing::HasSubstr;

TEST(WeightStoreTest, TheLastImportIsCurrentAndEarlierOnesStay) {
  const testing::TemporaryFolder folder;
  ASSERT_OK_AND_ASSIGN(const StoredWeights first, PutWeights(folder.path(), "mobilenet_v2", "one", "a.h5", "MIT"));
  ASSERT_OK_AND_ASSIGN(const StoredWeights second, PutWeights(folder.path(), "mobilenet_v2", "two", "b.h5", "MIT"));
  ASSERT_OK_AND_ASSIGN(const StoredWeights current, CurrentWeights(folder.path(), "mobilenet_v2"));
  EXPECT_EQ(current.sha256, Sha256Hex("two"));
  EXPECT_EQ(current.path, second.path);
  EXPECT_EQ(current.source, "b.h5");
  ASSERT_OK_AND_ASSIGN(const StoredWeights found, FindWeights(folder.path(), "mobilenet_v2", first.sha256));
  EXPECT_EQ(found.path, first.path);
  EXPECT_EQ(found.source, "a.h5");
  EXPECT_EQ(found.licence, "MIT");
}

TEST(WeightStoreTest, MissingWeightsSayHowToImportThem) {
  const testing::TemporaryFolder folder;
  EXPECT_THAT(CurrentWeights(folder.path(), "mobilenet_v2"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("graft-weights import")));
  EXPECT_THAT(FindWeights(folder.path(), "mobilenet_v2", std::string(64, 'a')),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("graft-weights import")));
}

TEST(WeightStoreTest, RecordWithoutItsFileIsNotFound) {
  const testing::TemporaryFolder folder;
  ASSERT_OK_AND_ASSIGN(const StoredWeights weights, PutWeights(folder.path(), "mobilenet_v2", "one", "a.h5", "MIT"));
  std::filesystem::remove(weights.path);
  EXPECT_THAT(CurrentWeights(folder.path(), "mobilenet_v2"), StatusIs(absl::StatusCode::kNotFound));
}

TEST(WeightStoreTest, DamagedRecordIsDataLoss) {
  const testing::TemporaryFolder folder;
  ASSERT_OK(PutWeights(folder.path(), "mobilenet_v2", "one", "a.h5", "MIT").status());
  for (const char* damaged : {"", "[]", "{", R"({"sha256":"../../etc/passwd","source":"","licence":""})"}) {
    std::ofstream(folder / "mobilenet_v2/current") << damaged;
    EXPECT_THAT(CurrentWeights(folder.path(), "mobilenet_v2"), StatusIs(absl::StatusCode::kDataLoss)) << damaged;
  }
}

TEST(WeightStoreTest, NamesThatLeaveTheFolderAreRefused) {
  const testing::TemporaryFolder folder;
  EXPECT_THAT(CurrentWeights(folder.path(), "../etc"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PutWeights(folder.path(), "a/b", "one", "", ""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(FindWeights(folder.path(), "mobilenet_v2", "../x"), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace graft::weights
