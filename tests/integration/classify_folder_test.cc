// Many photos and the life of versions, with the real programs.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/file.h"
#include "tests/integration/picture_folder.h"
#include "tests/integration/running_server.h"
#include "tests/testing/temporary_folder.h"

namespace graft::testing {
namespace {

using nlohmann::json;

constexpr int kPerClass = 100;

class ClassifyFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakePictureFolder(folder_ / "photos", kPerClass);
    MakeRandomWeights(folder_ / "data", "mobilenet_v2");
    ASSERT_TRUE(server_.Start());
    server_.GraftJson({"dataset", "push", "colours", folder_ / "photos"});
    Train();
  }

  json Train() {
    return server_.GraftJson({"train", "--dataset", "colours", "--backbone", "mobilenet_v2", "--model", "colours",
                              "--epochs", "1", "--alias", "production"});
  }

  TemporaryFolder folder_;
  RunningServer server_{folder_ / "data"};
};

TEST_F(ClassifyFolderTest, EveryPhotoIsAnsweredWhateverElseIsInTheFolder) {
  const std::string truncated = folder_ / "photos/red/truncated.jpg", text = folder_ / "photos/red/text.png";
  const std::string whole = *ReadFile(folder_ / "photos/red/000.jpg", 1 << 20);
  ASSERT_TRUE(WriteFileDurably(truncated, whole.substr(0, whole.size() / 2)).ok());
  ASSERT_TRUE(WriteFileDurably(text, "not a picture").ok());
  ASSERT_TRUE(WriteFileDurably(folder_ / "photos/red/huge.jpg", std::string((10 << 20) + 1, '\xff')).ok());

  const Outcome outcome = server_.Graft({"-o", "json", "classify", "colours@production", folder_ / "photos"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("3 of 303 photos failed"), std::string::npos) << outcome.err;
  std::map<std::string, json> answers;
  for (const json& line : JsonLines(outcome.out)) answers[line["file"]] = line;
  ASSERT_EQ(answers.size(), 303U);
  for (const char* bad : {"truncated.jpg", "text.png", "huge.jpg"}) {
    EXPECT_EQ(answers[folder_ / absl::StrCat("photos/red/", bad)]["error"]["code"], 3) << bad;
  }
  const std::string one = folder_ / "photos/blue/042.jpg";
  const json alone = server_.GraftJson({"classify", "colours:1", one});
  EXPECT_EQ(answers[one]["predictions"], alone["predictions"]);
  EXPECT_EQ(answers[one]["modelVersion"], "models/colours/versions/1");
}

TEST_F(ClassifyFolderTest, ServerThatIsKilledAndComesBackLosesNothing) {
  const auto classify = Program::Start(
      server_.Command({"-o", "csv", "classify", "colours", "--top-k", "1", folder_ / "photos"}), folder_.path());
  const auto lines_out = [&classify] {
    const std::string out = classify->out();
    return std::count(out.begin(), out.end(), '\n');
  };
  while (lines_out() < 10 && !classify->Ended()) absl::SleepFor(absl::Milliseconds(1));
  server_.KillServer();
  ASSERT_TRUE(server_.Start());
  const Outcome outcome = classify->Wait(absl::Minutes(2));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("going on with the photos without an answer"), std::string::npos) << outcome.err;
  std::map<std::string, int> rows;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) ++rows[line.substr(0, line.find(','))];
  EXPECT_EQ(rows.size(), 3U * kPerClass + 1);  // and the header
  for (const auto& [file, count] : rows) EXPECT_EQ(count, 1) << file;
}

TEST_F(ClassifyFolderTest, VersionsAreRolledBackAndDeleted) {
  const json job = Train();
  const std::string photo = folder_ / "photos/green/007.jpg";
  EXPECT_EQ(server_.GraftJson({"classify", "colours@production", photo})["modelVersion"], "models/colours/versions/2");
  EXPECT_EQ(server_.GraftJson({"classify", "colours:2", photo})["modelVersion"], "models/colours/versions/2");
  EXPECT_EQ(server_.Graft({"model", "delete", "colours:2"}).exit_code, 1);

  server_.GraftJson({"model", "rollback", "colours", "production"});
  EXPECT_EQ(server_.GraftJson({"classify", "colours@production", photo})["modelVersion"], "models/colours/versions/1");
  EXPECT_EQ(server_.Graft({"model", "delete", "colours:2"}).exit_code, 0);
  EXPECT_EQ(server_.Graft({"classify", "colours:2", photo}).exit_code, 6);
  EXPECT_EQ(server_.GraftJson({"classify", "colours", photo})["modelVersion"], "models/colours/versions/1");
  const json history = server_.GraftJson({"model", "history", "colours"});
  ASSERT_EQ(history["moves"].size(), 3U);
  EXPECT_EQ(history["moves"][0]["rollback"], true);
  EXPECT_EQ(history["moves"][1]["versionDeleted"], true);

  // What trained it goes on telling about it, and its number is not used again.
  EXPECT_EQ(server_.GraftJson({"job", "show", job["name"]})["result"], job["result"]);
  EXPECT_EQ(Train()["result"]["modelVersion"], "models/colours/versions/3");
}

}  // namespace
}  // namespace graft::testing
