#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/base/file.h"
#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::commands {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::JobEvent StateEvent(v1::JobState state) {
  v1::JobEvent event;
  event.mutable_state_changed()->set_state(state);
  return event;
}

class TrainTest : public ::testing::Test {
 protected:
  TrainTest() { SetEnd(v1::JOB_STATE_SUCCEEDED); }

  void SetEnd(v1::JobState end) {
    v1::Job job;
    job.set_name("jobs/01abc");
    job.set_state(end);
    std::vector<v1::JobEvent> events = {StateEvent(v1::JOB_STATE_QUEUED), StateEvent(v1::JOB_STATE_PREPARING)};
    auto& features = *events.emplace_back().mutable_features_ready();
    features.set_images_computed(12);
    features.set_images_from_cache(30);
    auto& epoch = *events.emplace_back().mutable_epoch_done();
    epoch.set_epoch(1);
    epoch.set_epochs(3);
    epoch.set_phase("head");
    epoch.set_train_loss(0.5);
    epoch.set_validation_accuracy(0.9);
    if (end == v1::JOB_STATE_SUCCEEDED) {
      auto& result = *job.mutable_result();
      result.set_model_version("models/animals/versions/3");
      result.set_test_accuracy(0.975);
      auto& cat = *result.add_classes();
      cat.set_label("cat");
      cat.set_precision(0.5);
      result.mutable_confusion_matrix()->add_labels("cat");
      auto& cell = *result.mutable_confusion_matrix()->add_cells();
      cell.set_images(41);
      cat.set_f1(0.625);
      result.mutable_macro()->set_f1(0.75);
      result.mutable_intervals()->mutable_test_accuracy()->set_low(0.95);
      result.mutable_intervals()->mutable_test_accuracy()->set_high(0.99);
      result.mutable_calibration()->set_temperature(1.25);
      result.mutable_calibration()->set_error_before(0.0625);
      (*result.mutable_phase_seconds())["total"] = 2;
      result.set_loader_images_per_second(901.2);
      result.set_engine_images_per_second(130.4);
      result.set_discarded_validation_accuracy(0.125);
      result.mutable_precision()->set_precision("bf16");
      result.mutable_precision()->set_images(500);
      result.mutable_precision()->set_accuracy_f32(0.97);
      result.mutable_precision()->set_agreement(0.998);
    }
    if (end == v1::JOB_STATE_FAILED) {
      job.mutable_error()->set_type(v1::JOB_ERROR_TYPE_DATA);
      job.mutable_error()->set_message("class dog has no photo");
    }
    if (end != v1::JOB_STATE_TRAINING) events.push_back(StateEvent(end));
    server_.training().SetJob(job, events);
  }

  CommandResult Train(std::vector<std::string> more, bool as_json = false) {
    std::vector<std::string> arguments = {"--server", server_.address(), "train",       "--dataset",
                                          "animals",  "--backbone",      "mobilenet_v2"};
    if (as_json) arguments.insert(arguments.begin(), {"-o", "json"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCommand(arguments);
  }

  graft::testing::FakeServer server_;
};

TEST_F(TrainTest, FlagsBecomeTheSpec) {
  ASSERT_EQ(Train({"--model",
                   "m",
                   "--preset",
                   "article",
                   "--epochs",
                   "3",
                   "--patience",
                   "2",
                   "--batch-size",
                   "16",
                   "--learning-rate",
                   "0.01",
                   "--seed",
                   "0",
                   "--train-fraction",
                   "0.6",
                   "--validation-fraction",
                   "0.2",
                   "--folds",
                   "5",
                   "--fold",
                   "2",
                   "--device",
                   "cpu",
                   "--alias",
                   "production",
                   "--decode",
                   "full",
                   "--precision",
                   "f32",
                   "--priority",
                   "high",
                   "--max-duration",
                   "1h30m",
                   "--request-id",
                   "r1",
                   "--detach"})
                .exit_code,
            0);
  const v1::SubmitJobRequest request = server_.training().submits().at(0);
  EXPECT_EQ(request.request_id(), "r1");
  const v1::TrainSpec& spec = request.spec();
  EXPECT_EQ(spec.dataset(), "animals");
  EXPECT_EQ(spec.backbone(), "mobilenet_v2");
  EXPECT_EQ(spec.model(), "m");
  EXPECT_EQ(spec.epochs(), 3);
  EXPECT_EQ(spec.patience(), 2);
  EXPECT_EQ(spec.batch_size(), 16);
  EXPECT_EQ(spec.learning_rate(), 0.01);
  EXPECT_TRUE(spec.has_seed());
  EXPECT_EQ(spec.train_fraction(), 0.6);
  EXPECT_EQ(spec.validation_fraction(), 0.2);
  EXPECT_EQ(spec.folds(), 5);
  EXPECT_EQ(spec.fold(), 2);
  EXPECT_EQ(spec.device(), "cpu");
  EXPECT_EQ(spec.alias(), "production");
  EXPECT_EQ(spec.decode(), "full");
  EXPECT_EQ(spec.precision(), "f32");
  EXPECT_EQ(spec.priority(), "high");
  EXPECT_EQ(spec.max_duration().seconds(), 5400);
}

TEST_F(TrainTest, TimeThatIsNoneIsRefusedHere) {
  const CommandResult result = Train({"--max-duration", "soon"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, AllOf(HasSubstr("--max-duration"), HasSubstr("1h30m")));
  EXPECT_TRUE(server_.training().submits().empty());
}

TEST_F(TrainTest, ShowSaysWhyAJobWaitsAndHowTrainingEnded) {
  v1::Job job;
  job.set_name("jobs/01abc");
  job.set_state(v1::JOB_STATE_QUEUED);
  job.set_waiting_reason("2 jobs before it on cpu");
  job.mutable_predicted_start_time()->set_seconds(absl::ToUnixSeconds(absl::Now()) + 7260);
  server_.training().SetJob(job, {});
  const auto show = [this] { return RunCommand({"--server", server_.address(), "job", "show", "jobs/01abc"}).out; };
  EXPECT_THAT(show(), HasSubstr("outlook: 2 jobs before it on cpu, starts in 2h 0"));
  job.mutable_result()->set_stop_reason("time_limit");
  server_.training().SetJob(job, {});
  EXPECT_THAT(show(), HasSubstr(", time limit\n"));
}

TEST_F(TrainTest, SolverAndItsPenaltyBecomeTheSpec) {
  ASSERT_EQ(Train({"--preset", "fast", "--solver", "lbfgs", "--l2", "0.03", "--detach"}).exit_code, 0);
  const v1::TrainSpec spec = server_.training().submits().at(0).spec();
  EXPECT_EQ(spec.preset(), "fast");
  EXPECT_EQ(spec.solver(), "lbfgs");
  EXPECT_EQ(spec.l2(), 0.03);
}

TEST_F(TrainTest, SweepBecomesItsFields) {
  ASSERT_EQ(Train({"--sweep", "lr=0.001/0.01,weight_decay=0/0.5", "--detach"}).exit_code, 0);
  ASSERT_EQ(Train({"--weight-decay", "0.25", "--detach"}).exit_code, 0);
  const v1::TrainSpec spec = server_.training().submits().at(0).spec();
  ASSERT_EQ(spec.sweep_size(), 2);
  EXPECT_EQ(spec.sweep(0).field(), "learning_rate");
  EXPECT_THAT(spec.sweep(0).values(), ElementsAre(0.001, 0.01));
  EXPECT_EQ(spec.sweep(1).field(), "weight_decay");
  EXPECT_THAT(spec.sweep(1).values(), ElementsAre(0, 0.5));
  EXPECT_EQ(server_.training().submits().at(1).spec().weight_decay(), 0.25);

  const CommandResult refused = Train({"--sweep", "lr=fast"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("lr=A/B/C"));
  EXPECT_EQ(server_.training().submits().size(), 2u);
}

TEST_F(TrainTest, WhatIsNotGivenIsLeftToTheServer) {
  ASSERT_EQ(Train({"--detach"}).exit_code, 0);
  const v1::TrainSpec spec = server_.training().submits().at(0).spec();
  EXPECT_FALSE(spec.has_epochs());
  EXPECT_FALSE(spec.has_seed());
  EXPECT_FALSE(spec.has_folds());
  EXPECT_FALSE(spec.has_l2());
  EXPECT_EQ(spec.preset(), "");
  EXPECT_EQ(spec.solver(), "");
}

TEST_F(TrainTest, FlagsOfTheBackbonesPhaseBecomeTheSpec) {
  ASSERT_EQ(Train({"--preset", "balanced", "--trainable", "blocks:4", "--augment", "strong", "--views", "6",
                   "--label-smoothing", "0", "--class-weights", "balanced", "--init-from", "animals:3", "--detach"})
                .exit_code,
            0);
  const v1::TrainSpec spec = server_.training().submits().at(0).spec();
  EXPECT_EQ(spec.preset(), "balanced");
  EXPECT_EQ(spec.trainable(), "blocks:4");
  EXPECT_EQ(spec.augment(), "strong");
  EXPECT_EQ(spec.views(), 6);
  EXPECT_TRUE(spec.has_label_smoothing());
  EXPECT_EQ(spec.class_weights(), "balanced");
  EXPECT_EQ(spec.init_from(), "animals:3");
}

TEST_F(TrainTest, SpecOfAFileIsSentAndFlagsWinOverIt) {
  const graft::testing::TemporaryFolder folder;
  const std::string path = folder / "spec.json";
  const auto train = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"--server", server_.address(), "train", "--spec", path, "--detach"};
    words.insert(words.end(), more.begin(), more.end());
    return RunCommand(words);
  };
  ASSERT_OK(WriteFileDurably(path, R"({"dataset": "animals", "backbone": "resnet50_v2", "seed": 3, "ema_decay": 0.9,
      "phases": [{"trainable": "head"}, {"trainable": "all", "learningRate": 0.5}]})"));
  ASSERT_EQ(train({"--backbone", "mobilenet_v2"}).exit_code, 0);
  const v1::TrainSpec spec = server_.training().submits().at(0).spec();
  EXPECT_EQ(spec.dataset(), "animals");
  EXPECT_EQ(spec.backbone(), "mobilenet_v2");
  EXPECT_EQ(spec.seed(), 3u);
  EXPECT_EQ(spec.ema_decay(), 0.9);
  ASSERT_EQ(spec.phases_size(), 2);
  EXPECT_EQ(spec.phases(1).learning_rate(), 0.5);
  EXPECT_FALSE(spec.phases(1).has_epochs());

  ASSERT_OK(WriteFileDurably(path, R"({"phase": []})"));
  EXPECT_THAT(train({}).err, AllOf(HasSubstr("spec.json"), HasSubstr("phase")));
  EXPECT_EQ(Train({"--spec", folder / "none.json"}).exit_code, 6);
  EXPECT_EQ(RunCommand({"train", "--backbone", "mobilenet_v2"}).exit_code, 2) << "no data set";
}

TEST_F(TrainTest, ValidateOnlyShowsThePhases) {
  const graft::testing::TemporaryFolder folder;
  ASSERT_OK(WriteFileDurably(folder / "spec.json", R"({"augment": "light", "phases": [{"trainable": "head"},
      {"trainable": "blocks:4", "epochs": 10, "optimizer": "adamw", "layerDecay": 0.75}]})"));
  EXPECT_THAT(Train({"--validate-only", "--spec", folder / "spec.json"}).out,
              AllOf(HasSubstr("phase 2: blocks:4, 10 epochs, adamw"), HasSubstr("layer decay 0.75"),
                    HasSubstr("augmentation: light")));
}

TEST_F(TrainTest, DetachPrintsTheJobAlone) {
  EXPECT_EQ(Train({"--detach"}).out, "jobs/01abc\n");
}

TEST_F(TrainTest, FollowsTheJobAndReportsItsResult) {
  const CommandResult result = Train({});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("features: 12 computed, 30 from cache"), HasSubstr("epoch 1/3 head  loss 0.5000"),
                    HasSubstr("(decoding alone 901 images/s, forward passes alone 130 images/s)"),
                    HasSubstr("ended below it, at a validation accuracy of 0.1250"),
                    HasSubstr("precision: bf16 (on 500 validation photos: accuracy f32 0.9700, agreement 0.9980)"),
                    HasSubstr("test accuracy 0.9750"), HasSubstr("graft classify animals:3"), HasSubstr("41")));
}

TEST_F(TrainTest, TrialsAreToldAndTheBestIsInTheReport) {
  v1::Job job;
  job.set_name("jobs/01abc");
  job.set_state(v1::JOB_STATE_SUCCEEDED);
  std::vector<v1::JobEvent> events;
  for (const double l2 : {1.0, 0.1}) {
    v1::Trial& trial = *job.mutable_result()->add_trials();
    trial.set_l2(l2);
    trial.set_iterations(34);
    trial.set_validation_loss(l2);
    trial.set_best(l2 == 0.1);
    *events.emplace_back().mutable_trial_done()->mutable_trial() = trial;
  }
  events.push_back(StateEvent(v1::JOB_STATE_SUCCEEDED));
  server_.training().SetJob(job, events);
  const CommandResult result = Train({});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("l2 1 "), HasSubstr("val_loss 0.1000"),
                                HasSubstr("34 iterations  0.00s  best"), HasSubstr("l2 0.1, the best of 2 tried")));
}

TEST_F(TrainTest, CombinationsOfASweepAreListedBestFirst) {
  v1::Job job;
  job.set_name("jobs/01abc");
  job.set_state(v1::JOB_STATE_SUCCEEDED);
  for (int number = 1; number <= 12; ++number) {
    v1::Trial& trial = *job.mutable_result()->add_trials();
    trial.set_number(number);
    trial.set_learning_rate(0.001 * number);
    trial.set_weight_decay(0.5);
    trial.set_epochs(number);
    trial.set_validation_loss(1.0 / number);
    trial.set_best(number == 12);
  }
  server_.training().SetJob(job, {StateEvent(v1::JOB_STATE_SUCCEEDED)});
  const std::string out = Train({}).out;
  EXPECT_THAT(out, AllOf(HasSubstr("lr 0.012, weight decay 0.5, the best of 12 tried"), HasSubstr("12 epochs"),
                         HasSubstr("and 2 with a higher validation loss")));
  EXPECT_LT(out.find("lr 0.011, "), out.find("lr 0.003, "));
  EXPECT_EQ(out.find("lr 0.002, "), std::string::npos);
}

TEST_F(TrainTest, JsonIsTheFinalJobAlone) {
  const CommandResult result = Train({}, true);
  EXPECT_EQ(result.exit_code, 0);
  const json job = json::parse(result.out);
  EXPECT_EQ(job["name"], "jobs/01abc");
  EXPECT_EQ(job["state"], "JOB_STATE_SUCCEEDED");
  EXPECT_EQ(job["result"]["testAccuracy"], 0.975);
  EXPECT_THAT(result.err, HasSubstr("epoch 1/3"));
}

TEST_F(TrainTest, BrokenWatchGoesOnWithoutRepeatingLines) {
  server_.training().BreakWatchesAfterEvents({4});
  const CommandResult result = Train({});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out.find("epoch 1/3"), result.out.rfind("epoch 1/3"));
  EXPECT_THAT(result.err, HasSubstr("reconnecting"));
}

TEST_F(TrainTest, FailedJobIsOneAndSaysWhy) {
  SetEnd(v1::JOB_STATE_FAILED);
  const CommandResult result = Train({}, true);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(json::parse(result.out)["error"]["type"], "JOB_ERROR_TYPE_DATA");
  EXPECT_THAT(result.err, HasSubstr("data error: class dog has no photo"));
}

TEST_F(TrainTest, CancelledJobIsThree) {
  SetEnd(v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(Train({}).exit_code, 3);
}

TEST_F(TrainTest, WatchPrintsOneEventPerLine) {
  const CommandResult result =
      RunCommand({"-o", "json", "--server", server_.address(), "job", "watch", "jobs/01abc", "--after-sequence", "3"});
  EXPECT_EQ(result.exit_code, 0);
  std::vector<std::string> lines = absl::StrSplit(result.out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(json::parse(lines[0])["sequence"], 4);
  EXPECT_EQ(json::parse(lines[1])["stateChanged"]["state"], "JOB_STATE_SUCCEEDED");
}

TEST_F(TrainTest, JobIsPausedAndResumedByItsName) {
  const auto ask = [this](const std::string& word, const std::string& name) {
    return RunCommand({"--server", server_.address(), "job", word, name});
  };
  EXPECT_EQ(ask("pause", "jobs/01abc").out, "jobs/01abc paused\n");
  EXPECT_EQ(ask("resume", "jobs/01abc").out, "jobs/01abc queued\n");
  EXPECT_EQ(ask("pause", "jobs/none").exit_code, 6);
}

TEST_F(TrainTest, InterruptDetachesAndSaysHowToComeBack) {
  SetEnd(v1::JOB_STATE_TRAINING);
  server_.training().KeepWatchesOpen();
  std::thread user([this] {
    while (server_.training().watched_after().empty()) absl::SleepFor(absl::Milliseconds(1));
    kill(getpid(), SIGINT);
  });
  const CommandResult result = Train({});
  user.join();
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_THAT(result.err, AllOf(HasSubstr("graft job watch 01abc"), HasSubstr("graft job cancel 01abc")));
}

}  // namespace
}  // namespace graft::commands
