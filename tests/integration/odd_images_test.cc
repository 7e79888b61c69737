// Every odd image through the whole server: a right answer or a clear error, within bounded memory and time.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/picture_folder.h"
#include "tests/integration/running_server.h"
#include "tests/testing/assets.h"
#include "tests/testing/temporary_folder.h"

namespace graft::testing {
namespace {

using nlohmann::json;

// VmHWM, the largest resident set so far, in MiB.
int PeakMemory(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string word; status >> word;) {
    int64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return static_cast<int>(kib / 1024);
  }
  return 0;
}

class OddImagesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakePictureFolder(folder_ / "photos", 8);
    MakeRandomWeights(folder_ / "data", "mobilenet_v2");
    ASSERT_TRUE(server_.Start());
    server_.GraftJson({"dataset", "push", "colours", folder_ / "photos"});
    server_.GraftJson(
        {"train", "--dataset", "colours", "--backbone", "mobilenet_v2", "--model", "colours", "--epochs", "1"});
  }

  TemporaryFolder folder_;
  RunningServer server_{folder_ / "data"};
};

TEST_F(OddImagesTest, EachGetsAnAnswerOrAClearError) {
  REQUIRE_ASSET(odd, "odd_images");
  server_.Graft({"classify", "colours", folder_ / "photos/red/000.jpg"});
  const int before = PeakMemory(server_.pid());
  std::vector<std::string> words = {"-o", "json", "classify", "colours"};
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(odd)) {
    if (entry.path().extension() != ".md") files.insert(entry.path().string());
  }
  words.insert(words.end(), files.begin(), files.end());
  const Outcome outcome = server_.Graft(words);
  EXPECT_EQ(outcome.exit_code, 1);  // some of them must fail
  const std::vector<json> answers = JsonLines(outcome.out);
  ASSERT_EQ(answers.size(), files.size());
  for (const json& answer : answers) {
    const std::string file = answer["file"];
    if (answer.contains("error")) {
      EXPECT_EQ(answer["error"]["code"], 3) << answer;  // INVALID_ARGUMENT
      EXPECT_GT(answer["error"]["message"].get<std::string>().size(), 10U) << answer;
    } else {
      EXPECT_EQ(answer["predictions"].size(), 3U) << answer;
    }
    const bool is_damaged = absl::StrContains(file, "truncated_jpeg") || absl::StrContains(file, "truncated_image") ||
                            absl::StrContains(file, "bomb") || absl::StrContains(file, "reallybig") ||
                            absl::EndsWith(file, ".gif") || absl::StrContains(file, "shortfile");
    if (is_damaged) {
      EXPECT_TRUE(answer.contains("error")) << answer;
    }
    if (absl::StrContains(file, "exif_") || absl::StrContains(file, "cmyk")) {
      EXPECT_FALSE(answer.contains("error")) << answer;
    }
  }
  EXPECT_LT(PeakMemory(server_.pid()) - before, 300);
}

TEST_F(OddImagesTest, OversizedAndBadTopKAreRefused) {
  std::ofstream(folder_ / "large.jpg") << std::string(11 << 20, 'x');
  const Outcome large = server_.Graft({"-o", "json", "classify", "colours", folder_ / "large.jpg"});
  EXPECT_EQ(large.exit_code, 1);
  EXPECT_NE(large.out.find("10485760"), std::string::npos) << large.out;
  for (const char* top_k : {"-1", "1001"}) {
    const Outcome outcome =
        server_.Graft({"classify", "colours", folder_ / "photos/red/000.jpg", absl::StrCat("--top-k=", top_k)});
    EXPECT_NE(outcome.exit_code, 0) << top_k;
  }
}

}  // namespace
}  // namespace graft::testing
