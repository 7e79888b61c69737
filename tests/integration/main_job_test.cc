// The main job, with the real programs: photos in, two models out, asked what is in a picture.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/picture_folder.h"
#include "tests/integration/running_server.h"
#include "tests/testing/temporary_folder.h"

namespace graft::testing {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

class MainJobTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakePictureFolder(folder_ / "photos", 24);
    MakeRandomWeights(folder_ / "data", "mobilenet_v2");
    ASSERT_TRUE(server_.Start());
    const json version = server_.GraftJson({"dataset", "push", "colours", folder_ / "photos"});
    ASSERT_EQ(version["imageCount"], 72);
  }

  json Train(const Words& more = {}) {
    Words words = {"train", "--dataset", "colours", "--backbone", "mobilenet_v2", "--model", "colours"};
    words.insert(words.end(), more.begin(), more.end());
    return server_.GraftJson(words);
  }

  TemporaryFolder folder_;
  RunningServer server_{folder_ / "data"};
};

TEST_F(MainJobTest, PhotosBecomeAModelThatAnswers) {
  const json job =
      Train({"--epochs", "60", "--patience", "60", "--learning-rate", "0.01", "--seed", "3", "--alias", "production"});
  EXPECT_EQ(job["state"], "JOB_STATE_SUCCEEDED");
  const json& result = job["result"];
  EXPECT_EQ(result["modelVersion"], "models/colours/versions/1");
  EXPECT_EQ(result["epochsRun"], 60);
  EXPECT_EQ(result["imagesComputed"], 72);
  EXPECT_EQ(result["imagesFromCache"], 0);
  EXPECT_EQ(result["weightsSha256"].get<std::string>().size(), 64U);
  EXPECT_GT(result["testAccuracy"].get<double>(), 0.8);
  EXPECT_TRUE(result["phaseSeconds"].contains("train"));

  for (const char* model : {"colours", "colours:1", "colours@production", "models/colours/versions/1"}) {
    const json answer = server_.GraftJson({"classify", model, folder_ / "photos/red/000.jpg"});
    EXPECT_EQ(answer["modelVersion"], "models/colours/versions/1");
    EXPECT_EQ(answer["predictions"][0]["label"], "red");
    EXPECT_EQ(answer["predictions"].size(), 3U);
  }
  const json calibration = result["calibration"];
  EXPECT_GT(calibration["temperature"].get<double>(), 0);
  EXPECT_GE(result["intervals"]["testAccuracy"]["high"].get<double>(), result["testAccuracy"].get<double>());
  EXPECT_EQ(server_.GraftJson({"model", "show", "colours:1"})["temperature"], calibration["temperature"]);
  const json suspects = server_.GraftJson({"model", "show", "colours:1", "--suspects"});
  EXPECT_EQ(suspects["datasetVersion"], "datasets/colours/versions/1");
  EXPECT_GT(suspects["highestLoss"].size(), 40U);  // all training photos, which are fewer than 100
}

TEST_F(MainJobTest, VersionsAreComparedOnOneTestSplit) {
  Train({"--epochs", "1"});
  Train({"--epochs", "30", "--patience", "30", "--learning-rate", "0.01"});
  Train({"--epochs", "1", "--seed", "9"});
  const json answer = server_.GraftJson({"compare", "colours:1", "colours:2", "--latency"});
  const json& comparison = answer["comparisons"][0];
  EXPECT_EQ(comparison["version"], "models/colours/versions/2");
  EXPECT_TRUE(comparison["sameTestSplit"]);
  EXPECT_TRUE(comparison["mcnemar"].contains("pValue")) << comparison;
  EXPECT_EQ(comparison["classes"].size(), 3U);
  EXPECT_TRUE(answer["costs"][1]["latency"].contains("batch32")) << answer;
  // Its backbone's 2.2 million float32 are on disk too.
  EXPECT_GT(std::stoll(answer["costs"][0]["sizeBytes"].get<std::string>()), 4 * 2'200'000);

  const Outcome refused = server_.Graft({"compare", "colours:1", "colours:3"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("datasets/colours/versions/1"), std::string::npos) << refused.err;
  const Outcome allowed = server_.Graft({"compare", "colours:1", "colours:3", "--any-split"});
  EXPECT_EQ(allowed.exit_code, 0) << allowed.err;
  EXPECT_NE(allowed.out.find("different photos"), std::string::npos) << allowed.out;
}

TEST_F(MainJobTest, SecondJobComputesNothingAndEqualsTheFirst) {
  const json first = Train({"--epochs", "3"});
  const json second = Train({"--epochs", "3"});
  EXPECT_EQ(second["result"]["imagesComputed"], 0);
  EXPECT_EQ(second["result"]["imagesFromCache"], 72);
  EXPECT_EQ(second["result"]["weightsSha256"], first["result"]["weightsSha256"]);
  EXPECT_EQ(second["result"]["modelVersion"], "models/colours/versions/2");
}

TEST_F(MainJobTest, SameSubmissionTwiceIsOneJob) {
  const json first = Train({"--epochs", "2", "--request-id", "once"});
  const json second = Train({"--epochs", "2", "--request-id", "once"});
  EXPECT_EQ(first["name"], second["name"]);
  EXPECT_EQ(server_.GraftJson({"job", "list"})["jobs"].size(), 1U);
  EXPECT_NE(server_
                .Graft({"train", "--dataset", "colours", "--backbone", "mobilenet_v2", "--model", "colours", "--epochs",
                        "3", "--request-id", "once"})
                .exit_code,
            0);
}

TEST_F(MainJobTest, PushingTheSamePhotosAgainSendsNothing) {
  const json again = server_.GraftJson({"dataset", "push", "colours", folder_ / "photos"});
  EXPECT_EQ(again["number"], 1);
  std::filesystem::copy_file(folder_ / "photos/red/000.jpg", folder_ / "photos/red/copy.jpg");
  EXPECT_EQ(server_.GraftJson({"dataset", "push", "colours", folder_ / "photos"})["number"], 2);
}

TEST_F(MainJobTest, CancelEndsAJobWithinSeconds) {
  const Words train = {"train",    "--dataset", "colours",    "--backbone", "mobilenet_v2",
                       "--epochs", "1000",      "--patience", "1000",       "--detach"};
  const json running = server_.GraftJson(train);
  const json waiting = server_.GraftJson(train);
  const std::string name = running["name"], queued = waiting["name"];
  while (server_.GraftJson({"job", "show", name})["state"] != "JOB_STATE_TRAINING") {
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_EQ(server_.GraftJson({"job", "show", queued})["state"], "JOB_STATE_QUEUED");
  server_.GraftJson({"job", "cancel", name});
  EXPECT_EQ(server_.Graft({"job", "watch", name}).exit_code, 3);
  server_.GraftJson({"job", "cancel", queued});
  EXPECT_EQ(server_.Graft({"job", "watch", queued}).exit_code, 3);
}

TEST_F(MainJobTest, TwoJobsRunOneAfterTheOther) {
  const Words train = {"train", "--dataset", "colours", "--backbone", "mobilenet_v2", "--epochs", "3", "--detach"};
  const std::string first = server_.GraftJson(train)["name"], second = server_.GraftJson(train)["name"];
  EXPECT_EQ(server_.Graft({"job", "watch", second}).exit_code, 0);
  const json first_job = server_.GraftJson({"job", "show", first}),
             second_job = server_.GraftJson({"job", "show", second});
  EXPECT_LE(first_job["endTime"].get<std::string>(), second_job["startTime"].get<std::string>());
}

TEST_F(MainJobTest, BadRequestsSayWhatIsWrong) {
  const Outcome no_dataset = server_.Graft({"train", "--dataset", "nothing", "--backbone", "mobilenet_v2"});
  EXPECT_EQ(no_dataset.exit_code, 6);
  EXPECT_NE(no_dataset.err.find("nothing"), std::string::npos) << no_dataset.err;
  const Outcome no_backbone = server_.Graft({"train", "--dataset", "colours", "--backbone", "resnet18"});
  EXPECT_EQ(no_backbone.exit_code, 1);
  EXPECT_NE(no_backbone.err.find("mobilenet_v2"), std::string::npos) << no_backbone.err;
  const Outcome no_epochs =
      server_.Graft({"train", "--dataset", "colours", "--backbone", "mobilenet_v2", "--epochs", "0"});
  EXPECT_NE(no_epochs.exit_code, 0);
  EXPECT_NE(no_epochs.err.find("epochs"), std::string::npos) << no_epochs.err;
  EXPECT_EQ(server_.Graft({"classify", "nobody", folder_ / "photos/red/000.jpg"}).exit_code, 6);
  EXPECT_EQ(server_.Graft({"frobnicate"}).exit_code, 2);
}

TEST_F(MainJobTest, ServerStopsCleanlyAndFindsEverythingAgain) {
  const json job = Train({"--epochs", "2"});
  EXPECT_EQ(server_.Stop().exit_code, 0);
  ASSERT_TRUE(server_.Start());
  EXPECT_EQ(server_.GraftJson({"job", "show", job["name"]})["state"], "JOB_STATE_SUCCEEDED");
  EXPECT_EQ(server_.GraftJson({"classify", "colours:1", folder_ / "photos/blue/001.jpg"})["predictions"].size(), 3U);
}

TEST_F(MainJobTest, SecondServerOnOneDataFolderIsRefused) {
  const Outcome second = RunProgram({ProgramPath("graft-server"), "--data-dir", folder_ / "data", "--listen",
                                     "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_NE(second.err.find(folder_ / "data"), std::string::npos) << second.err;
}

}  // namespace
}  // namespace graft::testing
