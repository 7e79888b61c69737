// What the classifier answers, and what it keeps in memory.
#include <gmock/gmock.h>

#include <cmath>

#include "tests/core/inference/classifier_fixture.h"

namespace graft::inference {
namespace {

using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST_F(ClassifierTest, AnswersMostProbableFirst) {
  Publish("colours");
  Start();
  ASSERT_OK_AND_ASSIGN(const Classification result, Classify({.model = "colours", .image = Picture(0, 255, 128)}));
  EXPECT_EQ(result.model_version, "models/colours/versions/1");
  ASSERT_THAT(result.predictions, SizeIs(3));
  EXPECT_EQ(result.predictions[0].label, "green");
  EXPECT_EQ(result.predictions[0].index, 1);
  EXPECT_EQ(result.predictions[1].label, "blue");
  // softmax(0, 10, 10 * 128 / 255)
  EXPECT_NEAR(result.predictions[0].probability, 0.99315f, 1e-4);
  EXPECT_GE(result.times.total, result.times.decode + result.times.forward);
  ASSERT_OK_AND_ASSIGN(const Classification one,
                       Classify({.model = "colours:1", .image = Picture(255, 0, 0), .top_k = 1}));
  ASSERT_THAT(one.predictions, SizeIs(1));
  EXPECT_EQ(one.predictions[0].label, "red");
}

TEST_F(ClassifierTest, TemperatureOfTheVersionIsApplied) {
  Publish("plain");
  Publish("flat", 0, "mobilenet_v2", "f32", 5);
  Publish("sharp", 0, "mobilenet_v2", "f32", 0.05);
  Start();
  const std::string picture = Picture(0, 255, 128);
  ASSERT_OK_AND_ASSIGN(const Classification plain, Classify({.model = "plain", .image = picture}));
  ASSERT_OK_AND_ASSIGN(const Classification flat, Classify({.model = "flat", .image = picture}));
  ASSERT_OK_AND_ASSIGN(const Classification sharp, Classify({.model = "sharp", .image = picture}));
  // softmax((0, 10, 10 * 128 / 255) / 5)
  const double weights[] = {1, std::exp(2.0), std::exp(2.0 * 128 / 255)};
  EXPECT_NEAR(flat.predictions[0].probability, weights[1] / (weights[0] + weights[1] + weights[2]), 1e-5);
  EXPECT_EQ(sharp.predictions[0].probability, 1);
  EXPECT_NEAR(sharp.predictions[1].probability, 0, 1e-30);  // as the last one, and still before it
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(flat.predictions[i].label, plain.predictions[i].label);
    EXPECT_EQ(sharp.predictions[i].label, plain.predictions[i].label);
  }
}

TEST_F(ClassifierTest, BadCallsNameTheField) {
  Publish("colours");
  Start();
  const std::string picture = Picture(1, 2, 3);
  const auto expect = [&](const char* field, ClassifyCall call) {
    const absl::Status status = Classify(std::move(call)).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(field)));
    const auto detail = DetailOf(status);
    ASSERT_TRUE(detail && std::holds_alternative<FieldDetail>(*detail)) << status;
    EXPECT_EQ(std::get<FieldDetail>(*detail).field, field);
  };
  expect("top_k", {.model = "colours", .image = picture, .top_k = -1});
  expect("top_k", {.model = "colours", .image = picture, .top_k = 1001});
  expect("image", {.model = "colours", .image = ""});
  expect("image", {.model = "colours", .image = "GIF89a not accepted"});
  expect("image", {.model = "colours", .image = picture.substr(0, picture.size() / 2)});
  expect("image", {.model = "colours", .image = std::string((10 << 20) + 1, 'x')});
  expect("model", {.model = "No!", .image = picture});
  EXPECT_OK(Classify({.model = "colours", .image = picture}));
}

TEST_F(ClassifierTest, UnknownModelIsNotFound) {
  Publish("colours");
  Start();
  EXPECT_THAT(Classify({.model = "colour", .image = Picture(1, 2, 3)}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no model 'colour'")));
  EXPECT_THAT(Classify({.model = "colours@live", .image = Picture(1, 2, 3)}), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ClassifierTest, AliasMoveTakesEffectAtOnce) {
  Publish("colours", 0);
  Publish("colours", 1);
  ASSERT_OK(registry_->SetAlias({.name = "colours", .number = 1}, "live"));
  Start();
  const ClassifyCall call{.model = "colours@live", .image = Picture(255, 0, 0)};
  EXPECT_EQ(Classify(call)->predictions[0].label, "red");
  ASSERT_OK(registry_->SetAlias({.name = "colours", .number = 2}, "live"));
  EXPECT_EQ(Classify(call)->model_version, "models/colours/versions/2");
  EXPECT_EQ(Classify(call)->predictions[0].label, "blue");
}

TEST_F(ClassifierTest, VersionsOfOneBackboneShareItsTrunk) {
  options_.threads = 4;
  for (int i = 0; i < 10; ++i) Publish(absl::StrCat("model", i), i);
  Start();
  std::vector<Answer> answers;
  for (int i = 0; i < 40; ++i) {
    answers.push_back(Send({.model = absl::StrCat("model", i % 10), .image = Picture(255, 0, 0)}));
  }
  for (Answer& answer : answers) EXPECT_OK(answer.get());
  EXPECT_EQ(classifier_->loaded_trunks(), 1);
  EXPECT_EQ(engines_created_, 1);
}

TEST_F(ClassifierTest, VersionIsServedInItsManifestsPrecision) {
  options_.has_bf16 = true;
  Publish("exact");
  Publish("rounded", 0, "mobilenet_v2", "bf16");
  Start();
  ASSERT_OK(Classify({.model = "rounded", .image = Picture(255, 0, 0)}).status());
  EXPECT_EQ(last_precision_, engine::Precision::kBf16);
  ASSERT_OK(Classify({.model = "exact", .image = Picture(255, 0, 0)}).status());
  EXPECT_EQ(last_precision_, engine::Precision::kF32);
  EXPECT_EQ(classifier_->loaded_trunks(), 2);
}

TEST_F(ClassifierTest, DeviceWithoutBf16ServesAllInF32) {
  Publish("rounded", 0, "mobilenet_v2", "bf16");
  Start();
  ASSERT_OK(Classify({.model = "rounded", .image = Picture(255, 0, 0)}).status());
  EXPECT_EQ(last_precision_, engine::Precision::kF32);
}

TEST_F(ClassifierTest, DamagedHeadIsDataLoss) {
  Publish("colours");
  const std::string path = registry_->Find({.name = "colours"})->head_path;
  ASSERT_OK(WriteFileDurably(path, "damaged"));
  Start();
  EXPECT_THAT(Classify({.model = "colours", .image = Picture(1, 2, 3)}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("models/colours/versions/1")));
}

TEST_F(ClassifierTest, FailedLoadIsReportedAndTriedAgain) {
  Publish("colours");
  int attempts = 0;
  options_.create_engine = [&](const weights::StoredWeights& weights,
                               const engine::EngineTarget&) -> absl::StatusOr<std::unique_ptr<engine::Engine>> {
    if (++attempts == 1) return absl::ResourceExhaustedError("device memory");
    return CreateFake(weights);
  };
  Start();
  const ClassifyCall call{.model = "colours", .image = Picture(255, 0, 0)};
  EXPECT_THAT(Classify(call), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("load mobilenet_v2 on cpu")));
  EXPECT_OK(Classify(call));
}

TEST_F(ClassifierTest, HeadsThatLeaveTheCacheComeBack) {
  options_.max_head_bytes = 1;
  Publish("a", 0);
  Publish("b", 1);
  Start();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Classify({.model = "a", .image = Picture(255, 0, 0)})->predictions[0].label, "red");
    EXPECT_EQ(Classify({.model = "b", .image = Picture(255, 0, 0)})->predictions[0].label, "blue");
  }
}

TEST_F(ClassifierTest, PixelsNeedNoDecoding) {
  Publish("colours");
  Start();
  std::vector<uint8_t> pixels(8 * 8 * 3);
  for (size_t i = 1; i < pixels.size(); i += 3) pixels[i] = 255;
  ASSERT_OK_AND_ASSIGN(const Classification result, Classify({.model = "colours", .pixels = pixels}));
  EXPECT_EQ(result.predictions[0].label, "green");
  pixels.pop_back();
  EXPECT_THAT(Classify({.model = "colours", .pixels = pixels}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("8x8")));
  EXPECT_THAT(Classify({.model = "colours", .image = Picture(1, 2, 3), .pixels = pixels}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ClassifierTest, LoadBringsHeadAndTrunk) {
  Publish("colours");
  Start();
  const auto load = [&](const std::string& model) {
    std::promise<absl::Status> done;
    classifier_->Load(model, [&](const absl::Status& status) { done.set_value(status); });
    return done.get_future().get();
  };
  EXPECT_OK(load("colours"));
  EXPECT_EQ(classifier_->loaded_trunks(), 1);
  EXPECT_OK(load("colours:1"));
  EXPECT_THAT(load("colours:2"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(engines_created_, 1);
}

TEST_F(ClassifierTest, UnloadFreesWhatNoOtherNeeds) {
  Publish("one");
  Publish("one");
  Publish("other");
  Publish("large", 0, "resnet50_v2");
  Start();
  const auto classify = [&](const char* model) { EXPECT_OK(Classify({.model = model, .image = Picture(255, 0, 0)})); };
  for (const char* model : {"one:1", "one:2", "other", "large"}) classify(model);
  EXPECT_OK(classifier_->Unload("large"));
  EXPECT_EQ(classifier_->loaded_trunks(), 1);
  EXPECT_OK(classifier_->Unload("one"));
  EXPECT_EQ(classifier_->loaded_trunks(), 1) << "the other model needs it";
  EXPECT_OK(classifier_->Unload("other:1"));
  EXPECT_EQ(classifier_->loaded_trunks(), 0);
  EXPECT_OK(classifier_->Unload("other")) << "nothing is loaded";
  EXPECT_THAT(classifier_->Unload("other:2"), StatusIs(absl::StatusCode::kNotFound));
  classify("large");
  EXPECT_EQ(engines_created_, 3) << "it is loaded again on use";
  ASSERT_OK(registry_->SetAlias({.name = "large", .number = 1}, "production"));
  EXPECT_OK(classifier_->Unload("large"));
  EXPECT_EQ(classifier_->loaded_trunks(), 1) << "production's trunk stays";
}

TEST_F(ClassifierTest, LeastRecentlyUsedTrunkLeavesUnlessInProduction) {
  options_.max_trunk_bytes = kEngineBytes;
  Publish("first", 0, "mobilenet_v2");
  Publish("second", 0, "resnet50_v2");
  Start();
  const auto classify = [&](const char* model) { EXPECT_OK(Classify({.model = model, .image = Picture(255, 0, 0)})); };
  const auto await_trunks = [&](int trunks) {  // the loader makes room after it has answered
    for (int i = 0; i < 10000 && classifier_->loaded_trunks() != trunks; ++i) absl::SleepFor(absl::Milliseconds(1));
    EXPECT_EQ(classifier_->loaded_trunks(), trunks);
  };
  classify("first");
  classify("second");
  await_trunks(1);
  EXPECT_EQ(engines_created_, 2);
  ASSERT_OK(registry_->SetAlias({.name = "second", .number = 1}, "production"));
  classify("first");
  await_trunks(2);
  classify("second");
  EXPECT_EQ(engines_created_, 3) << "the production version's trunk was kept";
}

TEST_F(ClassifierTest, FineTunedVersionsHaveTrunksOfTheirOwn) {
  options_.max_trunk_bytes = 2 * kEngineBytes;
  Publish("frozen");
  for (const char* tuned : {"a", "b", "c"}) Publish("tuned", 0, "mobilenet_v2", "f32", 1, tuned);
  Publish("again", 0, "mobilenet_v2", "f32", 1, "c");
  Start();
  const auto classify = [&](const char* model) { EXPECT_OK(Classify({.model = model, .image = Picture(255, 0, 0)})); };
  const auto await_trunks = [&](int trunks) {  // the loader makes room after it has answered
    for (int i = 0; i < 10000 && classifier_->loaded_trunks() != trunks; ++i) absl::SleepFor(absl::Milliseconds(1));
    EXPECT_EQ(classifier_->loaded_trunks(), trunks);
  };
  ASSERT_OK(registry_->SetAlias({.name = "tuned", .number = 1}, "production"));
  classify("tuned@production");
  for (const char* model : {"frozen", "tuned:2", "tuned:3"}) {
    classify(model);
    await_trunks(2);
  }
  EXPECT_EQ(engines_created_, 4);
  for (const char* model : {"tuned@production", "tuned:3", "again"}) classify(model);
  EXPECT_EQ(engines_created_, 4) << "production stays, and equal weights are one trunk";

  ASSERT_OK(registry_->Delete("tuned", 3));
  classifier_->Forget("tuned", 3);
  EXPECT_EQ(classifier_->loaded_trunks(), 2) << "the other model needs it";
  ASSERT_OK(registry_->Delete("again", 1));
  classifier_->Forget("again", 1);
  EXPECT_EQ(classifier_->loaded_trunks(), 1);
  EXPECT_THAT(Classify({.model = "tuned:3", .image = Picture(1, 2, 3)}), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ClassifierTest, DamagedBackboneOfAVersionIsDataLoss) {
  Publish("tuned", 0, "mobilenet_v2", "f32", 1, "a");
  ASSERT_OK(WriteFileDurably(registry_->Find({.name = "tuned"})->backbone_path, "damaged"));
  Start();
  EXPECT_THAT(Classify({.model = "tuned", .image = Picture(1, 2, 3)}), StatusIs(absl::StatusCode::kDataLoss));
}

// The alias has moved on and the version gone while its trunk was to be loaded.
TEST_F(ClassifierTest, RequestFollowsItsAliasWhenTheTrunkIsGone) {
  absl::Notification entered, gate;
  load_entered_ = &entered;
  load_gate_ = &gate;
  Publish("tuned", 0, "resnet50_v2", "f32", 1, "a");
  ASSERT_OK(registry_->SetAlias({.name = "tuned", .number = 1}, "live"));
  Start();
  Answer by_alias = Send({.model = "tuned@live", .image = Picture(255, 0, 0)});
  Answer by_number = Send({.model = "tuned:1", .image = Picture(255, 0, 0)});
  entered.WaitForNotification();
  Publish("tuned", 0, "resnet50_v2", "f32", 1, "b");
  ASSERT_OK(registry_->SetAlias({.name = "tuned", .number = 2}, "live"));
  ASSERT_OK(registry_->Delete("tuned", 1));
  gate.Notify();
  const absl::StatusOr<Classification> followed = by_alias.get();
  ASSERT_OK(followed);
  EXPECT_EQ(followed->model_version, "models/tuned/versions/2");
  EXPECT_THAT(by_number.get(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("deleted")));
}

TEST_F(ClassifierTest, CachedResponsesAreOfTheSameVersionAndQuestion) {
  options_.response_cache_bytes = 1 << 20;
  Publish("colours", 0);
  Publish("colours", 1);
  Start();
  const std::string picture = Picture(255, 0, 0);
  ASSERT_OK_AND_ASSIGN(const Classification computed, Classify({.model = "colours:1", .image = picture}));
  ASSERT_OK_AND_ASSIGN(const Classification cached, Classify({.model = "colours:1", .image = picture}));
  EXPECT_EQ(cached.predictions[0].label, "red");
  EXPECT_EQ(cached.times.forward, absl::ZeroDuration());
  EXPECT_EQ(cached.forward_pass, 0);
  EXPECT_GT(computed.forward_pass, 0);
  EXPECT_GT(computed.times.forward, absl::ZeroDuration());
  EXPECT_EQ(Classify({.model = "colours:2", .image = picture})->predictions[0].label, "blue");
  EXPECT_THAT(Classify({.model = "colours:1", .image = picture, .top_k = 1})->predictions, SizeIs(1));
  EXPECT_EQ(Classify({.model = "colours:1", .image = Picture(0, 255, 0)})->predictions[0].label, "green");
}

// A version may be deleted, or its alias moved, between a request's look into the cache and its answer.
TEST_F(ClassifierTest, ResponsesKeptLateAnswerForTheirOwnVersionAlone) {
  absl::Notification gate, entered;
  run_gate_ = &gate;
  entered_ = &entered;
  options_.response_cache_bytes = 1 << 20;
  Publish("colours", 0);
  Publish("colours", 1);
  ASSERT_OK(registry_->SetAlias({.name = "colours", .number = 1}, "live"));
  Start();
  const std::string picture = Picture(255, 0, 0);
  Answer running = Send({.model = "colours@live", .image = picture});
  entered.WaitForNotification();
  ASSERT_OK(registry_->SetAlias({.name = "colours", .number = 2}, "live"));
  ASSERT_OK(registry_->Delete("colours", 1));
  gate.Notify();
  EXPECT_EQ(running.get()->model_version, "models/colours/versions/1");
  EXPECT_EQ(Classify({.model = "colours@live", .image = picture})->predictions[0].label, "blue");
  EXPECT_THAT(Classify({.model = "colours:1", .image = picture}), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace graft::inference
