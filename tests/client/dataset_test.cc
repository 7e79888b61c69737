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

TEST_F(DatasetPushTest, FolderWithoutPhotosFailsWithoutACall) {
  const CommandResult result =
      RunCommand({"--server", server_.address(), "dataset", "push", "animals", folder_.path()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr(folder_.path()));
  EXPECT_EQ(server_.datasets().streams(), 0);
}

}  // namespace
}  // namespace graft::commands
