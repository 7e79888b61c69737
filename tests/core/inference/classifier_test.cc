#include "core/inference/classifier.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/engine/engine.h"
#include "core/registry/manifest.h"
#include "core/store/database.h"
#include "core/weights/safetensors.h"
#include "core/weights/weight_store.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::inference {
namespace {

using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int kDimension = 3;
constexpr int64_t kEngineBytes = 1000;

// Features are the first pixel's red, green and blue over 255. Runs wait until `gate` opens, where there is one; those
// of black pictures, which warm an engine up, do not.
class FakeEngine : public engine::Engine {
 public:
  FakeEngine(std::string backbone, absl::Notification* gate, absl::Notification* entered, bool fails)
      : facts_{.name = std::move(backbone), .title = "Fake", .input_size = 8, .feature_dimension = kDimension},
        gate_(gate),
        entered_(entered),
        fails_(fails) {}

  absl::Status Run(absl::Span<const uint8_t> images, int count, absl::Span<float> features, engine::Cores) override {
    if (std::all_of(images.begin(), images.end(), [](uint8_t value) { return value == 0; })) return absl::OkStatus();
    if (entered_ != nullptr && !entered_->HasBeenNotified()) entered_->Notify();
    if (gate_ != nullptr) gate_->WaitForNotification();
    if (fails_) return absl::InternalError("told to fail");
    const size_t image_bytes = images.size() / static_cast<size_t>(count);
    for (int row = 0; row < count; ++row) {
      for (int i = 0; i < kDimension; ++i) {
        features[row * kDimension + i] = static_cast<float>(images[row * image_bytes + i]) / 255;
      }
    }
    return absl::OkStatus();
  }
  const network::BackboneFacts& facts() const override { return facts_; }
  int preferred_batch() const override { return 1; }
  const std::string& id() const override { return facts_.name; }
  int64_t bytes() const override { return kEngineBytes; }

 private:
  const network::BackboneFacts facts_;
  absl::Notification* const gate_;
  absl::Notification* const entered_;
  const bool fails_;
};

std::string Picture(int red, int green, int blue) {
  std::vector<uint8_t> bytes;
  cv::imencode(".png", cv::Mat(8, 8, CV_8UC3, cv::Scalar(blue, green, red)), bytes);
  return std::string(bytes.begin(), bytes.end());
}

// A head whose class i answers to colour (i + shift) modulo 3.
std::string ColourHead(int shift) {
  std::vector<float> kernel(kDimension * 3, 0);
  for (int i = 0; i < 3; ++i) kernel[((i + shift) % 3) * 3 + i] = 10;
  const std::vector<float> bias(3, 0);
  const auto view = [](const std::vector<float>& values, std::vector<int64_t> shape) {
    return weights::TensorView{weights::DType::kF32, std::move(shape),
                               absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * 4)};
  };
  return weights::Serialize({{"head/kernel", view(kernel, {kDimension, 3})}, {"head/bias", view(bias, {3})}}, {});
}

class ClassifierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(folder_ / "graft.db"));
    registry_ = std::make_unique<registry::Registry>(database_.get(), folder_ / "models");
    for (const char* backbone : {"mobilenet_v2", "resnet50_v2"}) {
      ASSERT_OK_AND_ASSIGN(const weights::StoredWeights stored,
                           weights::PutWeights(folder_ / "weights", backbone, weights::Serialize({}, {{"b", backbone}}),
                                               "random:1", "none"));
      weights_sha256_[backbone] = stored.sha256;
    }
    options_.weights_root = folder_ / "weights";
    options_.create_engine = [this](const weights::StoredWeights& weights, const engine::EngineTarget&) {
      return CreateFake(weights);
    };
  }

  absl::StatusOr<std::unique_ptr<engine::Engine>> CreateFake(const weights::StoredWeights& weights) {
    ++engines_created_;
    if (load_gate_ != nullptr && weights.backbone == "resnet50_v2") load_gate_->WaitForNotification();
    return std::make_unique<FakeEngine>(weights.backbone, run_gate_, entered_, fail_runs_);
  }

  void Publish(const std::string& model, int shift = 0, const std::string& backbone = "mobilenet_v2") {
    const registry::Manifest manifest{.model = model,
                                      .backbone = backbone,
                                      .backbone_sha256 = weights_sha256_.at(backbone),
                                      .labels = {"red", "green", "blue"},
                                      .preprocess = {.height = 8, .width = 8},
                                      .spec_json = "{}",
                                      .result_json = "{}"};
    ASSERT_OK_AND_ASSIGN(const registry::Staged staged,
                         registry_->Stage(model, backbone, weights_sha256_.at(backbone), "job",
                                          {.head = ColourHead(shift), .manifest = *registry::ToJson(manifest)}));
    ASSERT_OK(database_->Write("publish", [&](store::Transaction& transaction) {
      return registry_->Publish(transaction, staged, "").status();
    }));
  }

  void Start() { classifier_ = Classifier::Create(registry_.get(), options_); }

  using Answer = std::future<absl::StatusOr<Classification>>;
  Answer Send(ClassifyCall call) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<Classification>>>();
    classifier_->Classify(std::move(call),
                          [promise](absl::StatusOr<Classification> result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  absl::StatusOr<Classification> Classify(ClassifyCall call) { return Send(std::move(call)).get(); }

  testing::TemporaryFolder folder_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<registry::Registry> registry_;
  std::map<std::string, std::string> weights_sha256_;
  ClassifierOptions options_;
  std::atomic<int> engines_created_ = 0;
  absl::Notification* load_gate_ = nullptr;  // holds the loading of resnet50_v2
  absl::Notification* run_gate_ = nullptr;   // holds every forward pass
  absl::Notification* entered_ = nullptr;    // told when a forward pass begins
  bool fail_runs_ = false;
  std::unique_ptr<Classifier> classifier_;
};

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

TEST_F(ClassifierTest, UnknownModelIsNotFoundNamingWhatExists) {
  Publish("colours");
  Start();
  EXPECT_THAT(Classify({.model = "colour", .image = Picture(1, 2, 3)}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("models are colours")));
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

TEST_F(ClassifierTest, LoadingOneTrunkDoesNotHoldUpAnother) {
  absl::Notification gate;
  load_gate_ = &gate;
  Publish("fast");
  Publish("slow", 0, "resnet50_v2");
  Start();
  ASSERT_OK(Classify({.model = "fast", .image = Picture(255, 0, 0)}));
  Answer first = Send({.model = "slow", .image = Picture(255, 0, 0)});
  Answer second = Send({.model = "slow", .image = Picture(255, 0, 0)});
  EXPECT_OK(Classify({.model = "fast", .image = Picture(255, 0, 0)}));
  gate.Notify();
  EXPECT_OK(first.get());
  EXPECT_OK(second.get());
  EXPECT_EQ(engines_created_, 2);
}

TEST_F(ClassifierTest, DeadlineAnswersWhileTheTrunkLoads) {
  absl::Notification gate;
  load_gate_ = &gate;
  Publish("slow", 0, "resnet50_v2");
  Start();
  EXPECT_THAT(Classify({.model = "slow", .image = Picture(1, 2, 3), .deadline = absl::Now() + absl::Milliseconds(20)}),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  gate.Notify();
  EXPECT_OK(Classify({.model = "slow", .image = Picture(1, 2, 3)}));
}

TEST_F(ClassifierTest, DeadlineAnswersWhileQueuedBehindABusyLane) {
  absl::Notification gate, entered;
  run_gate_ = &gate;
  entered_ = &entered;
  Publish("colours");
  Start();
  Answer running = Send({.model = "colours", .image = Picture(255, 0, 0)});
  entered.WaitForNotification();
  EXPECT_THAT(
      Classify({.model = "colours", .image = Picture(1, 2, 3), .deadline = absl::Now() + absl::Milliseconds(20)}),
      StatusIs(absl::StatusCode::kDeadlineExceeded));
  gate.Notify();
  EXPECT_OK(running.get());
}

TEST_F(ClassifierTest, CancelledRequestIsNotRun) {
  Publish("colours");
  Start();
  const auto cancellation = std::make_shared<Cancellation>();
  cancellation->Cancel();
  EXPECT_THAT(Classify({.model = "colours", .image = Picture(1, 2, 3), .cancellation = cancellation}),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(engines_created_, 0);
}

TEST_F(ClassifierTest, OverloadIsRefusedWithADelay) {
  absl::Notification gate, entered;
  run_gate_ = &gate;
  entered_ = &entered;
  options_.queue_capacity = 3;
  Publish("colours");
  Start();
  const ClassifyCall call{.model = "colours", .image = Picture(255, 0, 0)};
  std::vector<Answer> accepted;
  accepted.push_back(Send(call));
  entered.WaitForNotification();
  accepted.push_back(Send(call));
  accepted.push_back(Send(call));
  const absl::Status refused = Classify(call).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted));
  const auto detail = DetailOf(refused);
  ASSERT_TRUE(detail && std::holds_alternative<RetryDetail>(*detail));
  EXPECT_GE(std::get<RetryDetail>(*detail).delay, absl::Milliseconds(20));
  gate.Notify();
  for (Answer& answer : accepted) EXPECT_OK(answer.get());
}

TEST_F(ClassifierTest, DestructionAnswersWhatWaits) {
  absl::Notification gate, entered;
  run_gate_ = &gate;
  entered_ = &entered;
  Publish("colours");
  Start();
  Answer running = Send({.model = "colours", .image = Picture(255, 0, 0)});
  entered.WaitForNotification();
  absl::Status status;
  classifier_->Classify({.model = "colours", .image = Picture(255, 0, 0)}, [&](const auto& result) {
    status = result.status();
    gate.Notify();
  });
  classifier_.reset();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_OK(running.get());
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

TEST_F(ClassifierTest, CancelledWhileItWaitsLeavesAtOnce) {
  absl::Notification gate, entered;
  run_gate_ = &gate;
  entered_ = &entered;
  options_.queue_capacity = 2;
  Publish("colours");
  Start();
  Answer running = Send({.model = "colours", .image = Picture(255, 0, 0)});
  entered.WaitForNotification();
  const auto cancellation = std::make_shared<Cancellation>();
  const ClassifyCall waits{.model = "colours", .image = Picture(1, 2, 3), .cancellation = cancellation};
  Answer cancelled = Send(waits);
  cancellation->Cancel();
  EXPECT_THAT(cancelled.get(), StatusIs(absl::StatusCode::kCancelled));
  Answer next = Send({.model = "colours", .image = Picture(0, 255, 0)});  // its place is free
  gate.Notify();
  EXPECT_OK(running.get());
  EXPECT_OK(next.get());
}

TEST_F(ClassifierTest, CallbackIsGoneOnceItWasCalled) {
  Publish("colours");
  Start();
  auto tied = std::make_shared<int>();
  const std::weak_ptr<int> watched = tied;
  std::promise<void> answered;
  classifier_->Classify({.model = "colours", .image = Picture(1, 2, 3)},
                        [&answered, tied](const auto&) { answered.set_value(); });
  tied.reset();
  answered.get_future().wait();
  for (int i = 0; i < 10000 && !watched.expired(); ++i) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_TRUE(watched.expired());
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
  EXPECT_GT(computed.times.forward, absl::ZeroDuration());
  EXPECT_EQ(Classify({.model = "colours:2", .image = picture})->predictions[0].label, "blue");
  EXPECT_THAT(Classify({.model = "colours:1", .image = picture, .top_k = 1})->predictions, SizeIs(1));
  EXPECT_EQ(Classify({.model = "colours:1", .image = Picture(0, 255, 0)})->predictions[0].label, "green");
}

// On a GPU lanes decode and one more runs batches; images of different models share them.
TEST_F(ClassifierTest, BatchesMixModelsAndAnswerEachWithItsOwnHead) {
  options_.device = "cuda:0";
  options_.threads = 2;
  absl::Notification gate, entered;
  run_gate_ = &gate;
  entered_ = &entered;
  for (int i = 0; i < 3; ++i) Publish(absl::StrCat("model", i), i);
  Start();
  std::vector<Answer> answers;
  for (int i = 0; i < 30; ++i) {
    answers.push_back(Send({.model = absl::StrCat("model", i % 3), .image = Picture(255, 0, 0)}));
  }
  entered.WaitForNotification();
  gate.Notify();
  const char* const expected[] = {"red", "blue", "green"};
  for (int i = 0; i < 30; ++i) {
    const absl::StatusOr<Classification> answer = answers[static_cast<size_t>(i)].get();
    ASSERT_OK(answer);
    EXPECT_EQ(answer->model_version, absl::StrCat("models/model", i % 3, "/versions/1"));
    EXPECT_EQ(answer->predictions[0].label, expected[i % 3]);
  }
}

TEST_F(ClassifierTest, FailedPassReachesEveryRequestInIt) {
  options_.device = "cuda:0";
  absl::Notification gate;
  run_gate_ = &gate;
  fail_runs_ = true;
  Publish("colours");
  Start();
  std::vector<Answer> answers;
  for (int i = 0; i < 10; ++i) answers.push_back(Send({.model = "colours", .image = Picture(255, 0, 0)}));
  gate.Notify();
  for (Answer& answer : answers) EXPECT_THAT(answer.get(), StatusIs(absl::StatusCode::kInternal, HasSubstr("told to")));
}

// Publishing and promoting under load: every call is answered once, none fails, and each answer is of one version
// whole.
TEST_F(ClassifierTest, SwapsUnderLoadNeitherFailNorMix) {
  constexpr int kVersions = 9, kCallsPerSender = 200;  // versions of one digit
  options_.threads = 3;
  options_.queue_capacity = 1 << 20;
  Publish("colours", 0);
  ASSERT_OK(registry_->SetAlias({.name = "colours", .number = 1}, "live"));
  Start();
  const char* const expected[] = {"red", "blue", "green"};  // of a red picture, by shift
  std::atomic<int> answered = 0, wrong = 0, cancelled = 0;
  const std::string picture = Picture(255, 0, 0);
  const auto send = [&](int sender) {
    for (int i = 0; i < kCallsPerSender; ++i) {
      const auto cancellation = std::make_shared<Cancellation>();
      auto done = std::make_shared<absl::Notification>();
      classifier_->Classify({.model = i % 2 == 0 ? "colours@live" : "colours",
                             .image = picture,
                             .priority = i % 3 == 0 ? Priority::kBatch : Priority::kInteractive,
                             .cancellation = cancellation},
                            [&, done](absl::StatusOr<Classification> result) {
                              ++answered;
                              if (result.ok()) {
                                const int version = result->model_version.back() - '0';
                                if (result->predictions[0].label != expected[(version - 1) % 3]) ++wrong;
                              } else if (absl::IsCancelled(result.status())) {
                                ++cancelled;
                              } else {
                                ++wrong;
                              }
                              done->Notify();
                            });
      if (i % 10 == sender) cancellation->Cancel();
      if (i % 4 != 0) done->WaitForNotification();
    }
  };
  std::vector<std::thread> senders;
  for (int sender = 0; sender < 3; ++sender) senders.emplace_back(send, sender);
  for (int version = 2; version <= kVersions; ++version) {
    Publish("colours", (version - 1) % 3);
    ASSERT_OK(registry_->SetAlias({.name = "colours", .number = version}, "live"));
  }
  for (std::thread& sender : senders) sender.join();
  classifier_.reset();
  EXPECT_EQ(answered, 3 * kCallsPerSender);
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(cancelled, 3 * kCallsPerSender / 10 + 3);
}

}  // namespace
}  // namespace graft::inference
