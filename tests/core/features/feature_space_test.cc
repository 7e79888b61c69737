#include "core/features/feature_space.h"

#include <chrono>
#include <filesystem>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::features {
namespace {

namespace fs = std::filesystem;
using ::graft::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

SpaceKey KeyOf(const std::string& weights) {
  return {.weights_sha256 = weights, .engine_id = "fake-1/cpu/f32", .dimension = 2};
}

Digest DigestOf(const std::string& text) {
  return *DigestFromHex(Sha256Hex(text));
}

class FeatureSpaceTest : public ::testing::Test {
 protected:
  // A space with one image, last used `hours_ago`.
  std::string MakeSpace(const std::string& weights, int hours_ago) {
    FeatureSpace space(folder_.path(), KeyOf(weights));
    EXPECT_OK(space.Refresh());
    EXPECT_OK(space.Add(DigestOf("a"), {1, 2}));
    EXPECT_OK(space.Flush());
    fs::last_write_time(space.folder() + "/key.txt", fs::file_time_type::clock::now() - std::chrono::hours(hours_ago));
    return space.folder();
  }

  TemporaryFolder folder_;
};

TEST_F(FeatureSpaceTest, KeyFileExplainsTheFolder) {
  const std::string folder = MakeSpace("w1", 0);
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(folder + "/key.txt", 1000));
  EXPECT_THAT(text, AllOf(HasSubstr("weights_sha256: w1\n"), HasSubstr("engine: fake-1/cpu/f32\n"),
                          HasSubstr("cut: global_average_pool\n"), HasSubstr("augmentation: none\n")));
  EXPECT_EQ(fs::path(folder).filename(), Sha256Hex(text));
}

TEST_F(FeatureSpaceTest, EveryPartOfTheKeyMakesAnotherSpace) {
  const std::string folder = FolderNameOf(KeyOf("w1"));
  SpaceKey key = KeyOf("w1");
  key.engine_id = "fake-2/cpu/f32";
  EXPECT_NE(FolderNameOf(key), folder);
  key = KeyOf("w1");
  key.preprocess.height = 96;
  EXPECT_NE(FolderNameOf(key), folder);
  EXPECT_NE(FolderNameOf(KeyOf("w2")), folder);
  key = KeyOf("w1");
  key.view = {.number = 1, .augment = {.flip = 0.5}};
  const std::string view = FolderNameOf(key);
  EXPECT_NE(view, folder);
  key.view.seed = 1;
  EXPECT_NE(FolderNameOf(key), view);
}

TEST_F(FeatureSpaceTest, SeesWhatAnotherProcessAppended) {
  FeatureSpace mine(folder_.path(), KeyOf("w1")), other(folder_.path(), KeyOf("w1"));
  std::vector<float> values(2);
  ASSERT_OK(mine.Refresh());
  ASSERT_OK(other.Refresh());
  ASSERT_OK(other.Add(DigestOf("a"), {1, 2}));
  ASSERT_OK(other.Flush());
  EXPECT_FALSE(mine.Read(DigestOf("a"), absl::MakeSpan(values)));
  ASSERT_OK(mine.Refresh());
  EXPECT_TRUE(mine.Read(DigestOf("a"), absl::MakeSpan(values)));
  EXPECT_THAT(values, ElementsAre(1, 2));
}

TEST_F(FeatureSpaceTest, GoesOnAfterAnotherProcessEvictedIt) {
  FeatureSpace space(folder_.path(), KeyOf("w1"));
  std::vector<float> values(2);
  ASSERT_OK(space.Refresh());
  ASSERT_OK(space.Add(DigestOf("a"), {1, 2}));
  ASSERT_OK(space.Flush());
  ASSERT_OK(space.Refresh());
  fs::remove_all(space.folder());
  ASSERT_OK(space.Refresh());
  EXPECT_FALSE(space.Read(DigestOf("a"), absl::MakeSpan(values)));
  ASSERT_OK(space.Add(DigestOf("a"), {3, 4}));
  ASSERT_OK(space.Flush());
  ASSERT_OK(space.Refresh());
  EXPECT_TRUE(space.Read(DigestOf("a"), absl::MakeSpan(values)));
  EXPECT_THAT(values, ElementsAre(3, 4));
}

TEST_F(FeatureSpaceTest, LeastRecentlyUsedIsEvictedFirstAndTheOneInUseNever) {
  const std::string oldest_in_use = MakeSpace("w1", 30);
  const std::string old = MakeSpace("w2", 20);
  const std::string recent = MakeSpace("w3", 10);
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  ASSERT_OK(EvictSpaces(folder_.path(), oldest_in_use, 0, bytes));
  EXPECT_TRUE(fs::exists(old));
  ASSERT_OK(EvictSpaces(folder_.path(), oldest_in_use, 1, bytes));
  EXPECT_TRUE(fs::exists(oldest_in_use));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(recent));
  ASSERT_OK(EvictSpaces(folder_.path(), oldest_in_use, 0, 0));
  EXPECT_TRUE(fs::exists(oldest_in_use));
  EXPECT_FALSE(fs::exists(recent));
}

TEST_F(FeatureSpaceTest, UseMarksTheSpaceAsRecent) {
  const std::string folder = MakeSpace("w1", 30);
  FeatureSpace again(folder_.path(), KeyOf("w1"));
  ASSERT_OK(again.Refresh());
  EXPECT_GT(fs::last_write_time(folder + "/key.txt"), fs::file_time_type::clock::now() - std::chrono::hours(1));
}

}  // namespace
}  // namespace graft::features
