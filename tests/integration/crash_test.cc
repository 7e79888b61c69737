// kill -9 of worker, server, or both, at random moments: nothing acknowledged is lost, the job ends with the same
// bytes, watchers see every event once. GRAFT_CRASH_ROUNDS runs more rounds than the suite does.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/picture_folder.h"
#include "tests/integration/running_server.h"
#include "tests/testing/temporary_folder.h"

namespace graft::testing {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

int Rounds(int usual) {
  const char* rounds = std::getenv("GRAFT_CRASH_ROUNDS");
  return rounds == nullptr ? usual : std::atoi(rounds);
}

const Words kTrain = {"train",   "--dataset", "colours",      "--backbone", "mobilenet_v2", "--model",
                      "colours", "--epochs",  "120",          "--patience", "120",          "--seed",
                      "5",       "--detach",  "--request-id", "crash"};

// Weights and photos are prepared once; every round starts from a copy of that data folder.
class CrashTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakePictureFolder(folder_ / "photos", 30);
    MakeRandomWeights(folder_ / "template", "mobilenet_v2");
    RunningServer server(folder_ / "template");
    ASSERT_TRUE(server.Start());
    server.GraftJson({"dataset", "push", "colours", folder_ / "photos"});
    ASSERT_EQ(server.Stop().exit_code, 0);

    const absl::Time start = absl::Now();
    undisturbed_ = FinishedJob(*StartRound("undisturbed"))["result"];
    undisturbed_time_ = absl::Now() - start;
    ASSERT_EQ(undisturbed_["epochsRun"], 120);
  }

  std::unique_ptr<RunningServer> StartRound(const std::string& name) {
    std::filesystem::copy(folder_ / "template", folder_ / name, std::filesystem::copy_options::recursive);
    auto server = std::make_unique<RunningServer>(folder_ / name);
    EXPECT_TRUE(server->Start());
    return server;
  }

  // Submits unless that request was made already, follows to the end, answers the job.
  static json FinishedJob(RunningServer& server) {
    const std::string name = server.GraftJson(kTrain)["name"];
    EXPECT_EQ(server.Graft({"job", "watch", name}).exit_code, 0);
    return server.GraftJson({"job", "show", name});
  }

  absl::Duration RandomMoment() { return std::uniform_real_distribution<>(0, 1)(random_) * undisturbed_time_; }

  TemporaryFolder folder_;
  json undisturbed_;
  absl::Duration undisturbed_time_;
  std::mt19937 random_{std::random_device{}()};
};

void ExpectDenseEvents(const std::vector<json>& events, size_t epochs_run) {
  int expected = 1;
  std::set<int> epochs;
  for (const json& event : events) {
    EXPECT_EQ(event["sequence"], expected++);
    if (event.contains("epochDone")) {
      EXPECT_TRUE(epochs.insert(event["epochDone"]["epoch"].get<int>()).second) << event;
    }
  }
  EXPECT_EQ(epochs.size(), epochs_run);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back()["stateChanged"]["state"], "JOB_STATE_SUCCEEDED");
}

TEST_F(CrashTest, KilledAtAnyMomentTheJobEndsWithTheSameBytes) {
  enum { kWorker, kServer, kBoth };
  for (int round = 0; round < Rounds(6); ++round) {
    auto server = StartRound(absl::StrCat("round-", round));
    const std::string name = server->GraftJson(kTrain)["name"];
    auto watcher = Program::Start(server->Command({"-o", "json", "job", "watch", name}), folder_.path());
    const int victim = round % 3;
    const absl::Duration moment = RandomMoment();
    SCOPED_TRACE(absl::StrCat("round ", round, ", victim ", victim, ", after ", absl::FormatDuration(moment)));
    absl::SleepFor(moment);
    if (victim != kServer) server->KillWorkers();
    if (victim != kWorker) {
      server->KillServer();
      ASSERT_TRUE(server->Start());
    }
    const json job = FinishedJob(*server);
    EXPECT_EQ(job["name"], name);
    EXPECT_EQ(job["result"]["weightsSha256"], undisturbed_["weightsSha256"]);
    EXPECT_EQ(job["result"]["testLoss"], undisturbed_["testLoss"]);
    EXPECT_EQ(job["result"]["modelVersion"], "models/colours/versions/1");
    const Outcome watched = watcher->Wait(absl::Seconds(60));
    EXPECT_EQ(watched.exit_code, 0) << watched.err;
    ExpectDenseEvents(JsonLines(watched.out), 120);
    if (HasFailure()) GTEST_FAIL() << server->log();
  }
}

TEST_F(CrashTest, PausedJobFreesItsDeviceSurvivesRestartsAndEndsWithTheSameBytes) {
  auto server = StartRound("paused");
  const Words train = {"train",    "--dataset", "colours",    "--backbone", "mobilenet_v2",
                       "--epochs", "600",       "--patience", "600"};
  const json undisturbed = server->GraftJson(train);
  Words detached = train;
  detached.push_back("--detach");
  for (const bool kill_while_pausing : {false, true}) {
    SCOPED_TRACE(kill_while_pausing);
    const std::string name = server->GraftJson(detached)["name"];
    const auto state = [&] { return server->GraftJson({"job", "show", name})["state"]; };
    const auto wait_while = [&](const std::vector<std::string>& states) {
      const absl::Time deadline = absl::Now() + absl::Seconds(60);
      while (absl::c_linear_search(states, state()) && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(20));
    };
    auto watcher = Program::Start(server->Command({"-o", "json", "job", "watch", name}), folder_.path());
    wait_while({"JOB_STATE_QUEUED", "JOB_STATE_PREPARING"});
    EXPECT_EQ(server->GraftJson({"job", "pause", name})["state"], "JOB_STATE_PAUSING");
    if (kill_while_pausing) server->KillWorkers();
    wait_while({"JOB_STATE_PAUSING"});
    EXPECT_EQ(state(), "JOB_STATE_PAUSED");
    const json quick =
        server->GraftJson({"train", "--dataset", "colours", "--backbone", "mobilenet_v2", "--epochs", "1"});
    EXPECT_EQ(quick["state"], "JOB_STATE_SUCCEEDED");
    server->KillServer();
    ASSERT_TRUE(server->Start());
    EXPECT_EQ(state(), "JOB_STATE_PAUSED");

    server->GraftJson({"job", "resume", name});
    const Outcome watched = watcher->Wait(absl::Minutes(2));
    EXPECT_EQ(watched.exit_code, 0) << watched.err;
    ExpectDenseEvents(JsonLines(watched.out), 600);
    const json job = server->GraftJson({"job", "show", name});
    EXPECT_EQ(job["result"]["weightsSha256"], undisturbed["result"]["weightsSha256"]);
  }
}

TEST_F(CrashTest, KilledJobRunsAgainWithinFiveSecondsOfARestart) {
  auto server = StartRound("restart");
  const std::string name = server->GraftJson(kTrain)["name"];
  while (server->GraftJson({"job", "show", name})["state"] == "JOB_STATE_QUEUED")
    absl::SleepFor(absl::Milliseconds(20));
  server->KillServer();
  ASSERT_TRUE(server->Start());
  const absl::Time restarted = absl::Now();
  int attempt = 1;
  while (attempt < 2 && absl::Now() < restarted + absl::Seconds(30)) {
    attempt = server->GraftJson({"job", "show", name})["attempt"];
  }
  EXPECT_EQ(attempt, 2);
  RecordProperty("seconds_until_running", absl::StrCat(absl::ToDoubleSeconds(absl::Now() - restarted)));
}

TEST_F(CrashTest, AcknowledgedJobsSurviveTheServer) {
  auto server = StartRound("acknowledged");
  std::set<std::string> acknowledged;
  for (int round = 0; round < Rounds(3); ++round) {
    auto submitter = Program::Start(
        {"/bin/sh", "-c",
         absl::StrCat("for i in 1 2 3 4 5 6 7 8 9 10; do ", ProgramPath("graft"), " --server ", server->address(),
                      " -o json train --dataset colours --backbone mobilenet_v2 --epochs 1 --detach; done")},
        folder_.path());
    absl::SleepFor(absl::Milliseconds(std::uniform_int_distribution<>(50, 600)(random_)));
    server->KillServer();
    submitter->Signal(SIGKILL);
    for (const json& job : JsonLines(submitter->Wait(absl::Seconds(10)).out)) acknowledged.insert(job["name"]);
    ASSERT_TRUE(server->Start());
  }
  std::set<std::string> found;
  const json listed = server->GraftJson({"job", "list"});
  for (const json& job : listed["jobs"]) found.insert(job["name"]);
  for (const std::string& name : acknowledged) EXPECT_TRUE(found.count(name)) << name;
  EXPECT_FALSE(acknowledged.empty());
}

}  // namespace
}  // namespace graft::testing
