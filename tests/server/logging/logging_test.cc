#include "server/logging/logging.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/time/clock.h"
#include "tests/testing/temporary_folder.h"

namespace graft::logging {
namespace {

// The process's log goes to a file, so it is no terminal's; set up once.
class LoggingTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new testing::TemporaryFolder;
    ASSERT_NE(freopen((*folder_ / "log").c_str(), "w", stderr), nullptr);
    SetUpLogging("graft-test", "info");
  }
  static void TearDownTestSuite() { delete folder_; }

  // Those written since the last call.
  std::vector<nlohmann::json> NewLines() {
    std::vector<nlohmann::json> lines;
    std::ifstream file(*folder_ / "log");
    int number = 0;
    for (std::string line; std::getline(file, line);) {
      if (++number > seen_) lines.push_back(nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false));
    }
    seen_ = number;
    return lines;
  }
  // Waits at most 30 s for the level to be so.
  static bool DebugIs(bool on) {
    const absl::Time limit = absl::Now() + absl::Seconds(30);
    while (spdlog::should_log(spdlog::level::debug) != on && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(1));
    return spdlog::should_log(spdlog::level::debug) == on;
  }

  static testing::TemporaryFolder* folder_;
  static int seen_;
};
testing::TemporaryFolder* LoggingTest::folder_ = nullptr;
int LoggingTest::seen_ = 0;

TEST_F(LoggingTest, EventIsOneJsonObjectWithItsFieldsAndThoseOfItsContext) {
  {
    const Context call({{"request_id", "r1"}, {"method", "M"}});
    const Context job({{"job", "j1"}, {"request_id", "r2"}});
    Log(spdlog::level::warn, "odd", {{"error", "two\nlines \"quoted\" \xff"}});
  }
  spdlog::info("plain");
  const std::vector<nlohmann::json> lines = NewLines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["message"], "odd");
  EXPECT_EQ(lines[0]["level"], "warning");
  EXPECT_EQ(lines[0]["program"], "graft-test");
  EXPECT_EQ(lines[0]["job"], "j1");
  EXPECT_EQ(lines[0]["method"], "M");
  EXPECT_EQ(lines[0]["request_id"], "r2");
  EXPECT_EQ(lines[0]["error"], "two\nlines \"quoted\" \xef\xbf\xbd");
  EXPECT_EQ(lines[1]["message"], "plain");
  EXPECT_FALSE(lines[1].contains("request_id"));
}

TEST_F(LoggingTest, SignalsChangeTheLevelAndSaySo) {
  Log(spdlog::level::debug, "unseen", {});
  kill(getpid(), SIGUSR1);
  ASSERT_TRUE(DebugIs(true));
  Log(spdlog::level::debug, "seen", {});
  kill(getpid(), SIGUSR2);
  ASSERT_TRUE(DebugIs(false));
  std::vector<std::string> messages;
  for (const nlohmann::json& line : NewLines()) messages.push_back(line["message"]);
  EXPECT_EQ(std::count(messages.begin(), messages.end(), "unseen"), 0);
  EXPECT_EQ(std::count(messages.begin(), messages.end(), "seen"), 1);
  EXPECT_EQ(std::count(messages.begin(), messages.end(), "log level is debug now"), 1);
}

}  // namespace
}  // namespace graft::logging
