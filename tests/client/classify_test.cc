#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"
#include "tests/testing/temporary_folder.h"

namespace graft::commands {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class ClassifyTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << bytes;
    return path;
  }
  void WritePhotos(int count) {
    for (int i = 0; i < count; ++i) Write(absl::StrFormat("photos/%03d.jpg", i), absl::StrCat("photo ", i));
  }
  CommandResult ClassifyAs(const std::string& format, std::vector<std::string> arguments, const std::string& input = "",
                           const terminal::Console::Options& console = {}) {
    arguments.insert(arguments.begin(), {"--server", server_.address(), "-o", format, "classify"});
    return RunCommand(arguments, input, console);
  }
  CommandResult Classify(const std::vector<std::string>& arguments, bool as_json = true,
                         const std::string& input = "") {
    return ClassifyAs(as_json ? "json" : "table", arguments, input);
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

TEST_F(ClassifyTest, StandardInputStandsAmongFiles) {
  server_.inference().BreakStreamsAfterAnswers({0});  // what came from a pipe is sent again all the same
  const auto lines = Lines(Classify({"animals", Write("a.jpg", "broken"), "-"}, true, "photo").out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[0].contains("error"));
  EXPECT_EQ(lines[1]["file"], "-");
  EXPECT_EQ(lines[1]["predictions"][0]["label"], "cat");
}

TEST_F(ClassifyTest, FolderIsClassifiedOverOneStreamAndCounted) {
  WritePhotos(40);
  Write("photos/.hidden.jpg", "photo");
  Write("photos/__MACOSX/a.jpg", "photo");
  Write("photos/007.jpg", "broken");
  std::filesystem::remove(folder_ / "photos/009.jpg");
  std::filesystem::create_symlink("/nowhere", folder_ / "photos/009.jpg");  // not a file: left out
  const CommandResult result = Classify({"animals", folder_ / "photos"}, false);
  EXPECT_EQ(result.exit_code, 1);
  const std::vector<std::string> lines = absl::StrSplit(result.out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 39u);
  EXPECT_EQ(lines[0], folder_ / "photos/000.jpg: cat 75.0%, dog 0.0%");
  EXPECT_THAT(lines[38], MatchesRegex("39 photos in .*, .* images/s"));
  EXPECT_EQ(result.err, absl::StrCat("graft: ", folder_ / "photos/007.jpg", ": image: is not a picture\n",
                                     "graft: 1 of 39 photos failed\n"));
  EXPECT_EQ(server_.inference().starts().size(), 1u);
}

TEST_F(ClassifyTest, CsvIsARowPerPrediction) {
  const std::string bad = Write("a.jpg", "broken"), good = Write("b, c.jpg", "photo");
  const CommandResult result = ClassifyAs("csv", {"animals", bad, good});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(
      result.out,
      absl::StrCat("file,model_version,rank,label,probability,error\n", bad, ",,,,,image: is not a picture\n\"", good,
                   "\",models/animals/versions/3,1,cat,0.75,\n\"", good, "\",models/animals/versions/3,2,dog,0,\n"));
  EXPECT_THAT(result.err, HasSubstr("1 of 2 photos failed"));
  EXPECT_EQ(ClassifyAs("csv", {"animals", good}).exit_code, 0);
  const CommandResult other = RunCommand({"-o", "csv", "model", "list"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("csv is for classify"));
}

TEST_F(ClassifyTest, LostConnectionIsSaidOnceAndLosesNothing) {
  WritePhotos(30);
  server_.inference().BreakStreamsAfterAnswers({10, 0, 0});
  const CommandResult result = Classify({"animals", folder_ / "photos"});
  EXPECT_EQ(result.exit_code, 0);
  const auto lines = Lines(result.out);
  ASSERT_EQ(lines.size(), 30u);
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_TRUE(lines[i].contains("predictions"));
  EXPECT_THAT(result.err, MatchesRegex("graft: interrupted .*going on with the photos without an answer\n"
                                       "30 photos in .*\n"));
}

TEST_F(ClassifyTest, TerminalShowsHowFarItIs) {
  WritePhotos(3);
  const CommandResult result = ClassifyAs("csv", {"animals", folder_ / "photos"}, "", {.live = true, .columns = 100});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("classify [------------------------------]   0% 0/3, 0.0 images/s"));
}

TEST_F(ClassifyTest, InterruptEndsItCleanly) {
  WritePhotos(5);
  server_.inference().HoldAfterItems(5, [] { raise(SIGINT); });
  const CommandResult result = Classify({"animals", folder_ / "photos"});
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_THAT(result.err, HasSubstr("stopped by Ctrl-C"));
  EXPECT_LE(Lines(result.out).size(), 4u);
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
