#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"
#include "tests/testing/temporary_folder.h"

namespace graft::commands {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class DatasetPushTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& bytes) {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << bytes;
  }
  graft::testing::TemporaryFolder folder_;
  graft::testing::FakeServer server_;
};

TEST_F(DatasetPushTest, UploadsAFolderPerClass) {
  Write("cat/1.jpg", "one");
  Write("dog/2.jpg", "two");
  const CommandResult result =
      RunCommand({"--server", server_.address(), "-o", "json", "dataset", "push", "animals", folder_.path()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(json::parse(result.out)["name"], "datasets/animals/versions/1");
  const auto files = server_.datasets().files();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].label(), "cat");
  EXPECT_EQ(files[0].split(), v1::SPLIT_UNSPECIFIED);
  EXPECT_EQ(files[1].path(), "dog/2.jpg");
}

TEST_F(DatasetPushTest, KeepsGivenSplits) {
  for (const char* path : {"train/cat/1.jpg", "train/dog/2.jpg", "validation/cat/3.jpg", "test/dog/4.jpg"}) {
    Write(path, path);
  }
  ASSERT_EQ(RunCommand({"--server", server_.address(), "dataset", "push", "animals", folder_.path()}).exit_code, 0);
  std::map<std::string, v1::Split> splits;
  for (const auto& file : server_.datasets().files()) splits[file.path()] = file.split();
  EXPECT_EQ(splits["train/cat/1.jpg"], v1::SPLIT_TRAIN);
  EXPECT_EQ(splits["validation/cat/3.jpg"], v1::SPLIT_VALIDATION);
  EXPECT_EQ(splits["test/dog/4.jpg"], v1::SPLIT_TEST);
}

TEST_F(DatasetPushTest, ManifestGivesLabelsSplitsAndGroups) {
  Write("photos/1.jpg", "one");
  Write("photos/2.jpg", "two");
  Write("labels.csv", "path,label,split,group\n1.jpg,cat,train,tom\n2.jpg,dog,test,\n");
  const CommandResult result = RunCommand({"--server", server_.address(), "dataset", "push", "animals",
                                           folder_ / "photos", "--manifest", folder_ / "labels.csv"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto files = server_.datasets().files();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].label(), "cat");
  EXPECT_EQ(files[0].split(), v1::SPLIT_TRAIN);
  EXPECT_EQ(files[0].group(), "tom");
  EXPECT_EQ(files[1].group(), "");
}

TEST_F(DatasetPushTest, BrokenManifestFailsWithoutACall) {
  Write("photos/1.jpg", "one");
  Write("labels.csv", "path,label\n1.jpg\n");
  const CommandResult result = RunCommand({"--server", server_.address(), "dataset", "push", "animals",
                                           folder_ / "photos", "--manifest", folder_ / "labels.csv"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("labels.csv:2: has 1 fields"));
  EXPECT_EQ(server_.datasets().streams(), 0);
}

TEST_F(DatasetPushTest, FolderWithoutPhotosFailsWithoutACall) {
  const CommandResult result =
      RunCommand({"--server", server_.address(), "dataset", "push", "animals", folder_.path()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr(folder_.path()));
  EXPECT_EQ(server_.datasets().streams(), 0);
}

TEST_F(DatasetPushTest, SaysWhatTheAuditFound) {
  Write("cat/1.jpg", "one");
  Write("dog/2.jpg", "two");
  const CommandResult result =
      RunCommand({"--server", server_.address(), "dataset", "push", "animals", folder_.path()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("same pixels: 2 files in 1 groups"));
  EXPECT_THAT(result.out, HasSubstr("graft dataset show animals:1"));
}

TEST(DatasetShowTest, NamesTheFilesThatTheAuditFound) {
  graft::testing::FakeServer server;
  const CommandResult result = RunCommand({"--server", server.address(), "dataset", "show", "animals"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("cat/2.jpg"));
}

TEST(DatasetDiffCommandTest, AsksForAsManyPagesAsTheLimitTakes) {
  graft::testing::FakeServer server;
  const auto changes = [&](const std::string& limit) {
    const CommandResult result = RunCommand(
        {"--server", server.address(), "-o", "json", "dataset", "diff", "animals:1", "animals:2", "--limit", limit});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out)["changes"].size();
  };
  EXPECT_EQ(changes("7"), 7u);
  EXPECT_EQ(changes("1500"), 1500u);
  EXPECT_EQ(changes("9999"), 2500u);
  const CommandResult text = RunCommand({"--server", server.address(), "dataset", "diff", "animals:1", "animals:2"});
  EXPECT_THAT(text.out, HasSubstr("animals:1 -> animals:2: 2,500 added"));
  EXPECT_THAT(text.out, HasSubstr("and 2,450 more"));
}

}  // namespace
}  // namespace graft::commands
