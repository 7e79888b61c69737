#include "client/commands/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"
#include "tests/testing/temporary_folder.h"

namespace graft::commands {
namespace {

using graft::testing::FakeServer;
using graft::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The caller's own settings stay out of the tests.
class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() {
    setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
    unsetenv("GRAFT_SERVER");
  }
  ~CommandLineTest() override { unsetenv("GRAFT_SERVER"); }

  std::string WriteConfig(const std::string& text) {
    const std::string path = folder_ / "graft.toml";
    std::ofstream(path) << text;
    return path;
  }

  TemporaryFolder folder_;
  FakeServer server_;
};

TEST_F(CommandLineTest, WrongUsageIsTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"nonsense"},
      {"train"},
      {"train", "--dataset", "animals"},
      {"train", "--dataset", "animals", "--backbone", "b", "--epochs", "many"},
      {"train", "--dataset", "animals", "--backbone", "b", "--seed", "-1"},
      {"train", "--dataset", "animals", "--backbone", "b", "--unknown"},
      {"job"},
      {"job", "show"},
      {"job", "watch", "x", "--after-sequence", "-3"},
      {"model", "promote", "animals:1"},
      {"classify", "animals"},
      {"compare"},
      {"dataset", "push", "animals", "/no/such/folder"},
      {"-o", "xml", "status"},
      {"status", "surplus"},
      {"--config", "/no/such/file.toml", "status"},
  };
  for (const auto& arguments : wrong) {
    const CommandResult result = RunCommand(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("graft: "));
  }
}

TEST_F(CommandLineTest, HelpIsAnAnswerAndListsExitCodes) {
  const CommandResult result = RunCommand({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("5 server unavailable"));
  EXPECT_THAT(RunCommand({"train", "--help"}).out, HasSubstr("--validation-fraction"));
}

TEST_F(CommandLineTest, AbsentServerIsFiveWithAHint) {
  std::string address;
  { address = FakeServer().address(); }
  const CommandResult result = RunCommand({"--server", address, "status"});
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("is graft-server running at " + address + "?"));
}

TEST_F(CommandLineTest, UnknownJobIsSix) {
  const CommandResult result = RunCommand({"--server", server_.address(), "job", "show", "none"});
  EXPECT_EQ(result.exit_code, 6);
  EXPECT_THAT(result.err, HasSubstr("none"));
}

TEST_F(CommandLineTest, GlobalFlagsMayFollowTheSubcommand) {
  EXPECT_EQ(RunCommand({"dataset", "list", "-o", "json", "--server", server_.address()}).exit_code, 0);
}

TEST_F(CommandLineTest, LaterSettingsWin) {
  const std::string nowhere = "127.0.0.1:1";
  const std::string file_with_server = WriteConfig("server = \"" + server_.address() + "\"\n");
  EXPECT_EQ(RunCommand({"--config", file_with_server, "dataset", "list"}).exit_code, 0);

  setenv("GRAFT_SERVER", server_.address().c_str(), 1);
  EXPECT_EQ(RunCommand({"dataset", "list"}).exit_code, 0);
  const std::string file_with_nowhere = WriteConfig("server = \"" + nowhere + "\"\n");
  EXPECT_EQ(RunCommand({"--config", file_with_nowhere, "dataset", "list"}).exit_code, 0);

  setenv("GRAFT_SERVER", nowhere.c_str(), 1);
  EXPECT_EQ(RunCommand({"--server", server_.address(), "dataset", "list"}).exit_code, 0);
}

TEST_F(CommandLineTest, ConfigurationFileFillsASubcommandsFlags) {
  const std::string file = WriteConfig("[train]\nepochs = 7\nseed = 3\n");
  ASSERT_EQ(RunCommand({"--server", server_.address(), "--config", file, "train", "--dataset", "animals", "--backbone",
                        "mobilenet_v2", "--seed", "5", "--detach"})
                .exit_code,
            0);
  const v1::TrainSpec spec = server_.training().submits().at(0).spec();
  EXPECT_EQ(spec.epochs(), 7);
  EXPECT_EQ(spec.seed(), 5u);
}

TEST_F(CommandLineTest, UnknownSettingInTheFileIsNamed) {
  const CommandResult result = RunCommand({"--config", WriteConfig("sever = \"x\"\n"), "status"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("sever"));
}

}  // namespace
}  // namespace graft::commands
