// A version with a backbone of its own, with the real programs: trained, killed on the way, served and deleted.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/picture_folder.h"
#include "tests/integration/running_server.h"
#include "tests/testing/temporary_folder.h"

namespace graft::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

class FineTuningTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakePictureFolder(folder_ / "photos", 8);
    MakeRandomWeights(folder_ / "template", "mobilenet_v2");
    RunningServer server(folder_ / "template");
    ASSERT_TRUE(server.Start());
    server.GraftJson({"dataset", "push", "colours", folder_ / "photos"});
    ASSERT_EQ(server.Stop().exit_code, 0);
  }

  std::unique_ptr<RunningServer> StartOnCopy(const std::string& name) {
    fs::copy(folder_ / "template", folder_ / name, fs::copy_options::recursive);
    auto server = std::make_unique<RunningServer>(folder_ / name);
    EXPECT_TRUE(server->Start());
    return server;
  }
  static json Submit(RunningServer& server) {
    return server.GraftJson({"train", "--dataset", "colours", "--backbone", "mobilenet_v2", "--model", "colours",
                             "--preset", "balanced", "--trainable", "blocks:1", "--epochs", "2", "--batch-size", "8",
                             "--request-id", "once", "--detach"});
  }
  static json Finish(RunningServer& server, const std::string& job) {
    EXPECT_EQ(server.Graft({"job", "watch", job}).exit_code, 0) << server.log();
    return server.GraftJson({"job", "show", job});
  }
  int BackbonesOn(const std::string& data) {
    int found = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / (data + "/models"))) {
      found += entry.path().filename() == "backbone.safetensors";
    }
    return found;
  }

  TemporaryFolder folder_;
};

TEST_F(FineTuningTest, FineTunedVersionIsServedShownAndDeletedWhole) {
  const auto server = StartOnCopy("data");
  const json job = Finish(*server, Submit(*server)["name"]);
  EXPECT_EQ(job["requestedSpec"]["phases"].size(), 0U);
  EXPECT_EQ(job["spec"]["phases"][1]["trainable"], "blocks:1");
  EXPECT_EQ(job["result"]["modelVersion"], "models/colours/versions/1");

  const json version = server->GraftJson({"model", "show", "colours"});
  EXPECT_EQ(version["trainable"], "blocks:1");
  EXPECT_NE(version["backboneSha256"], version["baseBackboneSha256"]);
  EXPECT_GT(std::stoll(version["backboneSizeBytes"].get<std::string>()), 8'000'000);
  EXPECT_EQ(BackbonesOn("data"), 1);
  EXPECT_TRUE(fs::is_empty(folder_ / "data/jobs"));

  const std::string photo = folder_ / "photos/red/000.jpg";
  const json answer = server->GraftJson({"classify", "colours", photo});
  EXPECT_EQ(answer["modelVersion"], "models/colours/versions/1");
  EXPECT_EQ(answer["predictions"].size(), 3U);
  ASSERT_EQ(server->Stop().exit_code, 0) << server->log();
  ASSERT_TRUE(server->Start());
  EXPECT_EQ(server->GraftJson({"classify", "colours", photo})["predictions"], answer["predictions"]);

  EXPECT_EQ(server->Graft({"model", "delete", "colours:1"}).exit_code, 0);
  EXPECT_EQ(BackbonesOn("data"), 0);
  EXPECT_EQ(server->Graft({"classify", "colours:1", photo}).exit_code, 6);
}

TEST_F(FineTuningTest, KilledAtAnyMomentTheVersionHasTheSameBytes) {
  const auto undisturbed = StartOnCopy("undisturbed");
  const absl::Time start = absl::Now();
  const json expected = Finish(*undisturbed, Submit(*undisturbed)["name"]);
  const absl::Duration takes = absl::Now() - start;
  const json version = undisturbed->GraftJson({"model", "show", "colours:1"});
  std::mt19937 random{std::random_device{}()};
  for (const bool whole_server : {false, true}) {
    const std::string name = whole_server ? "server" : "worker";
    const auto server = StartOnCopy(name);
    const std::string job = Submit(*server)["name"];
    const absl::Duration moment = std::uniform_real_distribution<>(0, 1)(random) * takes;
    SCOPED_TRACE(absl::StrCat(name, " killed after ", absl::FormatDuration(moment)));
    absl::SleepFor(moment);
    server->KillWorkers();
    if (whole_server) {
      server->KillServer();
      ASSERT_TRUE(server->Start());
    }
    const json ended = Finish(*server, job);
    EXPECT_EQ(ended["result"]["weightsSha256"], expected["result"]["weightsSha256"]);
    EXPECT_EQ(ended["result"]["testLoss"], expected["result"]["testLoss"]);
    EXPECT_EQ(server->GraftJson({"model", "show", "colours:1"})["backboneSha256"], version["backboneSha256"]);
    EXPECT_EQ(server->Stop().exit_code, 0);
    ASSERT_TRUE(server->Start());  // removes what the crash left
    EXPECT_EQ(BackbonesOn(name), 1);
    EXPECT_EQ(server->Stop().exit_code, 0);
  }
}

}  // namespace
}  // namespace graft::testing
