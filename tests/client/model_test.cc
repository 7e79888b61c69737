#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"

namespace graft::commands {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ModelTest : public ::testing::Test {
 protected:
  ModelTest() { server_.models().SetVersions(3); }
  CommandResult Model(std::vector<std::string> words, bool as_json = false) {
    words.insert(words.begin(), {"--server", server_.address(), "model"});
    if (as_json) words.insert(words.begin(), {"-o", "json"});
    return RunCommand(words);
  }

  graft::testing::FakeServer server_;
};

TEST_F(ModelTest, RollbackSaysWhereTheAliasIsBack) {
  const CommandResult result = Model({"rollback", "animals", "production"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "animals@production is back at animals:2\n");
  EXPECT_EQ(server_.models().production(), 2);
  EXPECT_EQ(json::parse(Model({"rollback", "models/animals", "production"}, true).out)["number"], 1);
  const CommandResult exhausted = Model({"rollback", "animals", "production"});
  EXPECT_EQ(exhausted.exit_code, 1);
  EXPECT_THAT(exhausted.err, HasSubstr("no earlier version"));
  EXPECT_EQ(Model({"rollback", "animals", "nothing"}).exit_code, 6);
  EXPECT_EQ(Model({"rollback", "animals"}).exit_code, 2);
}

TEST_F(ModelTest, ShowSaysWhatTheVersionIsServedIn) {
  EXPECT_THAT(Model({"show", "animals:2"}).out, HasSubstr("served in: bf16"));
  EXPECT_EQ(json::parse(Model({"show", "animals:2"}, true).out)["precision"], "bf16");
}

TEST_F(ModelTest, SuspectsAreShownForReview) {
  const CommandResult result = Model({"show", "animals:2", "--suspects"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("training photos of pets:1"), HasSubstr("MOST CONFIDENT DISAGREEMENTS"),
                                HasSubstr("HIGHEST LOSS"), HasSubstr("cat/2.jpg"), HasSubstr("0.9375")));
  EXPECT_EQ(json::parse(Model({"show", "animals:2", "--suspects"}, true).out)["highestLoss"].size(), 2u);
  EXPECT_EQ(Model({"show", "animals:3", "--suspects"}).exit_code, 6);
}

TEST_F(ModelTest, ShowSaysWhetherTheBackboneIsTheVersionsOwn) {
  EXPECT_THAT(
      Model({"show", "animals:1"}).out,
      AllOf(HasSubstr("trained: head\n"), HasSubstr("beside the shared backbone"), Not(HasSubstr("from base"))));
  EXPECT_THAT(Model({"show", "animals:2"}).out,
              AllOf(HasSubstr("trained: all\n"), HasSubstr("with a backbone of its own of"),
                    HasSubstr("backbone weights: tuned, fine-tuned from base\n")));
}

TEST_F(ModelTest, HistoryShowsEveryMove) {
  server_.models().SetHistory(3);
  const CommandResult result = Model({"history", "animals"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("production  animals:2  animals:3            rollback"),
                    HasSubstr("production  animals:1  animals:2 (deleted)  set"), HasSubstr("production  -")));
  const json answer = json::parse(Model({"history", "animals", "--alias", "live"}, true).out);
  ASSERT_EQ(answer["moves"].size(), 3u);
  EXPECT_EQ(answer["moves"][0]["alias"], "live");
  EXPECT_EQ(Model({"history", "plants"}).exit_code, 6);
}

TEST_F(ModelTest, DeleteSaysWhatItDeletedOrWhyNot) {
  const CommandResult result = Model({"delete", "models/animals/versions/1"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "deleted animals:1\n");
  EXPECT_EQ(json::parse(Model({"delete", "animals:2"}, true).out), json::object());
  EXPECT_EQ(Model({"delete", "animals:2"}).exit_code, 6);
  const CommandResult refused = Model({"delete", "animals:3"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("the alias production points to it"));
}

}  // namespace
}  // namespace graft::commands
