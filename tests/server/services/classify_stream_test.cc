#include "server/services/classify_stream.h"

#include <map>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "tests/server/services/server_test.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kNotFound = absl::StatusCode::kNotFound;
constexpr int kWindowItems = services::kClassifyWindow.messages;

class ClassifyStreamTest : public ServerTest {
 protected:
  // A client's end of one stream. Its context gives up instead of hanging the test.
  class Caller {
   public:
    explicit Caller(v1::InferenceService::Stub& inference)
        : context_(Context()), stream_(inference.ClassifyStream(context_.get())) {}

    void Start(const std::string& model, int top_k = 0) {
      v1::ClassifyStreamRequest request;
      request.mutable_start()->set_model(model);
      request.mutable_start()->set_top_k(top_k);
      Send(request);
    }
    void Send(int64_t id, const std::string& image) {
      v1::ClassifyStreamRequest request;
      request.mutable_item()->set_id(id);
      request.mutable_item()->set_image(image);
      Send(request);
    }
    void Send(const v1::ClassifyStreamRequest& request) { stream_->Write(request); }
    void HalfClose() { stream_->WritesDone(); }
    void Cancel() { context_->TryCancel(); }

    // The next answer; one with id -1 when the stream has ended.
    v1::ClassifyStreamResponse Read() {
      v1::ClassifyStreamResponse response;
      if (!stream_->Read(&response)) response.set_id(-1);
      return response;
    }
    // Ignores what is still answered.
    absl::Status Finish() {
      v1::ClassifyStreamResponse response;
      while (stream_->Read(&response)) {
      }
      return FromGrpcStatus(stream_->Finish());
    }

   private:
    const std::unique_ptr<grpc::ClientContext> context_;
    const std::unique_ptr<grpc::ClientReaderWriter<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>> stream_;
  };

  void SetUp() override {
    ServerTest::SetUp();
    PublishModel("animals");
  }

  // How a stream ends whose caller sends `first` and half-closes.
  absl::Status EndOf(const v1::ClassifyStreamRequest& first) {
    Caller caller(*inference_);
    caller.Send(first);
    caller.HalfClose();
    return caller.Finish();
  }
  absl::Status EndOfStart(const std::string& model, int top_k = 0) {
    v1::ClassifyStreamRequest request;
    request.mutable_start()->set_model(model);
    request.mutable_start()->set_top_k(top_k);
    return EndOf(request);
  }
  absl::Status Classify(const std::string& image) {
    v1::ClassifyRequest request;
    request.set_model("animals");
    request.set_image(image);
    v1::ClassifyResponse response;
    return Call(&v1::InferenceService::Stub::Classify, *inference_, request, &response);
  }
};

// So many that items arrive at any moment of an answer's way out.
TEST_F(ClassifyStreamTest, EveryItemIsAnsweredOnceAndThenTheStreamEndsWell) {
  constexpr int kItems = 10'000;
  Caller caller(*inference_);
  caller.Start("animals", 1);
  std::thread sender([&] {
    for (int i = 0; i < kItems; ++i) caller.Send(i, "photo");
    caller.HalfClose();
  });
  std::set<int64_t> answered;
  for (v1::ClassifyStreamResponse response = caller.Read(); response.id() >= 0; response = caller.Read()) {
    EXPECT_TRUE(answered.insert(response.id()).second);
    EXPECT_EQ(response.model_version(), "models/animals/versions/1");
    ASSERT_EQ(response.predictions_size(), 1);
    EXPECT_EQ(response.predictions(0).label(), "cat");
    EXPECT_EQ(response.times().forward().nanos(), 5'000'000);
    EXPECT_FALSE(response.has_error());
  }
  sender.join();
  EXPECT_OK(caller.Finish());
  EXPECT_EQ(answered.size(), static_cast<size_t>(kItems));
}

TEST_F(ClassifyStreamTest, ItemsThatFailDoNotEndTheStream) {
  Caller caller(*inference_);
  caller.Start("animals");
  std::map<int64_t, v1::ClassifyStreamResponse> answers;
  const std::vector<std::string> images = {"photo", "broken", "", std::string((10 << 20) + 1, 'x'), "photo"};
  for (size_t i = 0; i < images.size(); ++i) {
    caller.Send(static_cast<int64_t>(i), images[i]);
    const v1::ClassifyStreamResponse response = caller.Read();
    answers[response.id()] = response;
  }
  caller.HalfClose();
  EXPECT_OK(caller.Finish());
  ASSERT_EQ(answers.size(), images.size());
  EXPECT_EQ(answers[0].predictions_size(), 2);
  EXPECT_EQ(answers[1].error().code(), static_cast<int>(kInvalid));
  EXPECT_EQ(answers[1].predictions_size(), 0);
  EXPECT_FALSE(answers[2].has_error());  // the fake's; a real classifier refuses an empty image
  EXPECT_THAT(answers[3].error().message(), HasSubstr("10 MiB"));
  EXPECT_EQ(answers[4].predictions_size(), 2);
}

TEST_F(ClassifyStreamTest, AnswersComeAsTheyFinish) {
  Caller caller(*inference_);
  caller.Start("animals");
  caller.Send(1, "hold");
  ASSERT_TRUE(classifier_->AwaitHeld());
  caller.Send(2, "photo");
  caller.HalfClose();
  EXPECT_EQ(caller.Read().id(), 2);
  classifier_->ReleaseHeld();
  EXPECT_EQ(caller.Read().id(), 1);
  EXPECT_OK(caller.Finish());
}

TEST_F(ClassifyStreamTest, AliasThatMovesDoesNotMixVersions) {
  PublishModel("animals");
  ASSERT_OK(registry_->SetAlias({.name = "animals", .number = 1}, "production"));
  Caller caller(*inference_);
  caller.Start("animals@production");
  caller.Send(1, "photo");
  EXPECT_EQ(caller.Read().model_version(), "models/animals/versions/1");
  ASSERT_OK(registry_->SetAlias({.name = "animals", .number = 2}, "production"));
  caller.Send(2, "photo");
  EXPECT_EQ(caller.Read().model_version(), "models/animals/versions/1");
  caller.HalfClose();
  EXPECT_OK(caller.Finish());
}

TEST_F(ClassifyStreamTest, DeletedVersionEndsTheStream) {
  Caller caller(*inference_);
  caller.Start("animals");
  caller.Send(1, "photo");
  EXPECT_EQ(caller.Read().id(), 1);
  ASSERT_OK(registry_->Delete("animals", 1));
  caller.Send(2, "photo");
  EXPECT_EQ(caller.Read().id(), -1);
  EXPECT_THAT(caller.Finish(), StatusIs(kNotFound, HasSubstr("animals:1")));
}

TEST_F(ClassifyStreamTest, BadStartSaysWhatIsWrong) {
  EXPECT_THAT(EndOfStart("plants"), StatusIs(kNotFound, HasSubstr("plants")));
  EXPECT_THAT(EndOfStart("animals:7"), StatusIs(kNotFound));
  EXPECT_THAT(EndOfStart(""), StatusIs(kInvalid, HasSubstr("start.model")));
  EXPECT_THAT(EndOfStart("animals", 1001), StatusIs(kInvalid, HasSubstr("start.top_k")));
  EXPECT_THAT(EndOfStart("animals", -1), StatusIs(kInvalid, HasSubstr("start.top_k")));
  EXPECT_THAT(EndOf(v1::ClassifyStreamRequest()), StatusIs(kInvalid, HasSubstr("start")));
  v1::ClassifyStreamRequest item;
  item.mutable_item()->set_image("photo");
  EXPECT_THAT(EndOf(item), StatusIs(kInvalid, HasSubstr("start: must be the first message")));
  EXPECT_EQ(classifier_->calls(), 0);
}

TEST_F(ClassifyStreamTest, MessagesOutOfOrderEndTheStream) {
  Caller twice(*inference_);
  twice.Start("animals");
  twice.Start("animals");
  EXPECT_THAT(twice.Finish(), StatusIs(kInvalid, HasSubstr("no other")));
  Caller unset(*inference_);
  unset.Start("animals");
  unset.Send(v1::ClassifyStreamRequest());
  EXPECT_THAT(unset.Finish(), StatusIs(kInvalid, HasSubstr("not set")));
  Caller silent(*inference_);
  silent.HalfClose();
  EXPECT_THAT(silent.Finish(), StatusIs(kInvalid, HasSubstr("first message")));
}

TEST_F(ClassifyStreamTest, StreamWithoutItemsEndsWell) {
  EXPECT_OK(EndOfStart("animals"));
}

TEST_F(ClassifyStreamTest, AnswersSoFarComeBeforeAnError) {
  Caller caller(*inference_);
  caller.Start("animals");
  caller.Send(1, "photo");
  caller.Start("animals");
  EXPECT_EQ(caller.Read().id(), 1);
  EXPECT_THAT(caller.Finish(), StatusIs(kInvalid));
}

TEST_F(ClassifyStreamTest, WindowBoundsTheItemsUnderWay) {
  constexpr int kItems = 1000;
  Caller caller(*inference_);
  caller.Start("animals");
  std::thread sender([&] {
    for (int i = 0; i < kItems; ++i) caller.Send(i, "hold");
    caller.HalfClose();
  });
  for (int answered = 0; answered < kItems;) {
    const int under_way = std::min(kWindowItems, kItems - answered);
    EXPECT_TRUE(classifier_->AwaitHeld(under_way));
    classifier_->ReleaseHeld();
    for (int i = 0; i < under_way; ++i) EXPECT_GE(caller.Read().id(), 0);
    answered += under_way;
  }
  sender.join();
  EXPECT_OK(caller.Finish());
  EXPECT_EQ(classifier_->most_held(), kWindowItems);
}

TEST_F(ClassifyStreamTest, WindowBoundsTheBytesUnderWay) {
  constexpr int kItems = 12;
  constexpr int kItemBytes = 8 << 20;
  constexpr int kInWindow = services::kClassifyWindow.bytes / kItemBytes;
  Caller caller(*inference_);
  caller.Start("animals");
  std::thread sender([&] {
    for (int i = 0; i < kItems; ++i) caller.Send(i, "hold" + std::string(kItemBytes, 'x'));
    caller.HalfClose();
  });
  for (int answered = 0; answered < kItems; answered += kInWindow) {
    EXPECT_TRUE(classifier_->AwaitHeld(kInWindow));
    classifier_->ReleaseHeld();
    for (int i = 0; i < kInWindow; ++i) EXPECT_GE(caller.Read().id(), 0);
  }
  sender.join();
  EXPECT_OK(caller.Finish());
  EXPECT_EQ(classifier_->most_held(), kInWindow);
}

TEST_F(ClassifyStreamTest, CallerThatDoesNotListenIsNotWorkedFor) {
  constexpr int kItems = 200;  // answers of 256 KiB: far more than HTTP/2 takes ahead
  Caller caller(*inference_);
  caller.Start("animals");
  for (int i = 0; i < kItems; ++i) caller.Send(i, "wide");
  caller.HalfClose();
  EXPECT_OK(Classify("photo"));
  EXPECT_LT(classifier_->calls(), kItems);
  for (int i = 0; i < kItems; ++i) EXPECT_GE(caller.Read().id(), 0);
  EXPECT_OK(caller.Finish());
}

TEST_F(ClassifyStreamTest, ItemsWithoutRoomWaitForTheirTurn) {
  constexpr int kItems = 40;
  classifier_->LimitRoom(1);
  Caller caller(*inference_);
  caller.Start("animals");
  std::thread sender([&] {
    for (int i = 0; i < kItems; ++i) caller.Send(i, "hold");
    caller.HalfClose();
  });
  ASSERT_TRUE(classifier_->AwaitRefused(1));
  for (int i = 0; i < kItems; ++i) {
    ASSERT_TRUE(classifier_->AwaitHeld());
    classifier_->ReleaseHeld();
    const v1::ClassifyStreamResponse response = caller.Read();
    EXPECT_EQ(response.id(), i);  // waiting keeps the order
    EXPECT_FALSE(response.has_error());
  }
  sender.join();
  EXPECT_OK(caller.Finish());
}

TEST_F(ClassifyStreamTest, RoomThatOthersTakeIsAskedForAgain) {
  classifier_->LimitRoom(1);
  absl::Status other;
  std::thread other_caller([&] { other = Classify("hold"); });
  ASSERT_TRUE(classifier_->AwaitHeld());
  Caller caller(*inference_);
  caller.Start("animals");
  caller.Send(1, "hold");
  caller.HalfClose();
  ASSERT_TRUE(classifier_->AwaitRefused(3));  // with nothing of its own under way, by the clock
  classifier_->ReleaseHeld();
  other_caller.join();
  EXPECT_OK(other);
  ASSERT_TRUE(classifier_->AwaitHeld());
  classifier_->ReleaseHeld();
  const v1::ClassifyStreamResponse response = caller.Read();
  EXPECT_EQ(response.id(), 1);
  EXPECT_FALSE(response.has_error());
  EXPECT_OK(caller.Finish());
}

TEST_F(ClassifyStreamTest, StreamsShareHalfOfTheClassifier) {
  constexpr int kItems = 2 * services::kStreamsInClassifier.messages / services::kMaxClassifyStreams;
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < services::kMaxClassifyStreams; ++i) {
    callers.push_back(std::make_unique<Caller>(*inference_));
    callers.back()->Start("animals");
    callers.back()->Send(-1, "photo");
    EXPECT_EQ(callers.back()->Read().predictions_size(), 2);
  }
  for (const auto& caller : callers) {
    for (int i = 0; i < kItems; ++i) caller->Send(i, "hold");
    caller->HalfClose();
  }
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(classifier_->AwaitHeld(services::kStreamsInClassifier.messages));
    classifier_->ReleaseHeld();
    for (const auto& caller : callers) {
      for (int i = 0; i < kItems / 2; ++i) EXPECT_GE(caller->Read().id(), 0);
    }
  }
  for (const auto& caller : callers) EXPECT_OK(caller->Finish());
  EXPECT_EQ(classifier_->most_held(), services::kStreamsInClassifier.messages);
}

TEST_F(ClassifyStreamTest, CallerThatGoesCancelsWhatIsUnderWay) {
  classifier_->LimitRoom(1);
  Caller caller(*inference_);
  caller.Start("animals");
  caller.Send(1, "hold");
  caller.Send(2, "hold");  // waits for room
  ASSERT_TRUE(classifier_->AwaitRefused(1));
  caller.Cancel();
  EXPECT_THAT(caller.Finish(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_TRUE(classifier_->HeldCallIsCancelled());
  classifier_->ReleaseHeld();
  EXPECT_OK(EndOfStart("animals"));
}

TEST_F(ClassifyStreamTest, DrainAnswersWhatIsUnderWayAndSendsTheRestElsewhere) {
  Caller caller(*inference_);
  caller.Start("animals");
  caller.Send(1, "hold");
  caller.Send(2, "hold");
  ASSERT_TRUE(classifier_->AwaitHeld(2));
  Caller idle(*inference_);
  idle.Start("animals");
  idle.Send(1, "photo");
  EXPECT_EQ(idle.Read().id(), 1);
  std::thread draining([&] { server_->Drain(absl::ZeroDuration(), absl::Seconds(30)); });
  EXPECT_THAT(idle.Finish(), StatusIs(absl::StatusCode::kUnavailable));
  classifier_->ReleaseHeld();
  EXPECT_GT(caller.Read().id(), 0);
  EXPECT_GT(caller.Read().id(), 0);
  const absl::Status ended = caller.Finish();
  EXPECT_THAT(ended, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("shutting down")));
  EXPECT_TRUE(DetailOf(ended).has_value());
  draining.join();
}

TEST_F(ClassifyStreamTest, StreamsAreCountedAndGivenBack) {
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < services::kMaxClassifyStreams; ++i) {
    callers.push_back(std::make_unique<Caller>(*inference_));
    callers.back()->Start("animals");
    callers.back()->Send(i, "photo");
    EXPECT_EQ(callers.back()->Read().id(), i);
  }
  const absl::Status refused = EndOfStart("animals");
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("16 streams")));
  const auto detail = DetailOf(refused);
  ASSERT_TRUE(detail.has_value());
  EXPECT_GT(std::get<RetryDetail>(*detail).delay, absl::ZeroDuration());
  for (const auto& caller : callers) {
    caller->HalfClose();
    EXPECT_OK(caller->Finish());
  }
  // The server forgets a stream a moment after its caller has seen the end.
  absl::Status again = EndOfStart("animals");
  while (absl::IsResourceExhausted(again)) {
    absl::SleepFor(absl::Milliseconds(1));
    again = EndOfStart("animals");
  }
  EXPECT_OK(again);
}

}  // namespace
}  // namespace graft::testing
