#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"
#include "tests/testing/temporary_folder.h"

namespace graft::commands {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class ClassifyTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ / name;
    std::ofstream(path) << bytes;
    return path;
  }
  CommandResult Classify(std::vector<std::string> arguments, bool as_json = true, const std::string& input = "") {
    arguments.insert(arguments.begin(), {"--server", server_.address(), "classify"});
    if (as_json) arguments.insert(arguments.begin(), {"-o", "json"});
    return RunCommand(arguments, input);
  }
  static std::vector<json> Lines(const std::string& out) {
    std::vector<json> lines;
    for (absl::string_view line : absl::StrSplit(out, '\n', absl::SkipEmpty())) {
      lines.push_back(json::parse(std::string(line)));
    }
    return lines;
  }

  graft::testing::TemporaryFolder folder_;
  graft::testing::FakeServer server_;
};

TEST_F(ClassifyTest, OneObjectPerFileInTheOrderGiven) {
  std::vector<std::string> arguments = {"animals"};
  for (int i = 0; i < 50; ++i) arguments.push_back(Write(absl::StrCat(99 - i, ".jpg"), absl::StrCat("photo ", i)));
  const CommandResult result = Classify(arguments);
  EXPECT_EQ(result.exit_code, 0);
  const auto lines = Lines(result.out);
  ASSERT_EQ(lines.size(), 50u);
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i]["file"], arguments[i + 1]);
    EXPECT_EQ(lines[i]["modelVersion"], "models/animals/versions/3");
    EXPECT_EQ(lines[i]["predictions"][0]["label"], "cat");
    EXPECT_EQ(lines[i]["predictions"][1]["probability"], 0);
  }
}

TEST_F(ClassifyTest, BadPhotosFailAndTheOthersAreDone) {
  const CommandResult result =
      Classify({"animals", Write("a.jpg", "broken"), folder_ / "missing.jpg", Write("b.jpg", "fine")});
  EXPECT_EQ(result.exit_code, 1);
  const auto lines = Lines(result.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["error"]["code"], 3);
  EXPECT_FALSE(lines[0].contains("predictions"));
  EXPECT_TRUE(lines[1].contains("error"));
  EXPECT_EQ(lines[2]["predictions"][0]["label"], "cat");
}

TEST_F(ClassifyTest, UnknownModelIsSixForEveryFile) {
  std::vector<std::string> arguments = {"plants"};
  for (int i = 0; i < 40; ++i) arguments.push_back(Write(absl::StrCat(i, ".jpg"), "photo"));
  const CommandResult result = Classify(arguments);
  EXPECT_EQ(result.exit_code, 6);
  EXPECT_EQ(Lines(result.out).size(), 40u);
  const CommandResult table = Classify(arguments, false);
  EXPECT_EQ(table.exit_code, 6);
  EXPECT_EQ(table.out, "");
  EXPECT_EQ(std::count(table.err.begin(), table.err.end(), '\n'), 1) << table.err;
}

TEST_F(ClassifyTest, ReadsStandardInput) {
  const CommandResult result = Classify({"animals", "-"}, false, "photo");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "-: cat 75.0%, dog 0.0%\n");
}

TEST_F(ClassifyTest, TableModeNamesTheFileInErrors) {
  const std::string path = Write("a.jpg", "broken");
  const CommandResult result = Classify({"animals", path}, false);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr(path + ": image: is not a picture"));
}

}  // namespace
}  // namespace graft::commands
