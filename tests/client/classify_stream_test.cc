#include "client/api/classify_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/api/channel.h"
#include "client/api/graft_client.h"
#include "core/base/errors.h"
#include "tests/client/fake_server.h"
#include "tests/testing/status_matchers.h"

namespace graft::client {
namespace {

using graft::testing::FakeServer;
using graft::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MemorySource : public ImageSource {
 public:
  explicit MemorySource(int64_t count) : count_(count) {}
  void Put(int64_t index, absl::StatusOr<std::string> image) { images_.insert_or_assign(index, std::move(image)); }

  int64_t count() const override { return count_; }
  absl::StatusOr<std::string> Read(int64_t index) override {
    reads_.push_back(index);
    const auto found = images_.find(index);
    return found == images_.end() ? absl::StatusOr<std::string>("photo") : found->second;
  }
  const std::vector<int64_t>& reads() const { return reads_; }

 private:
  const int64_t count_;
  std::map<int64_t, absl::StatusOr<std::string>> images_;
  std::vector<int64_t> reads_;
};

std::vector<int64_t> UpTo(int64_t count) {
  std::vector<int64_t> indices(static_cast<size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

class ClassifyStreamTest : public ::testing::Test {
 protected:
  ClassifyStreamTest() {
    observer_.on_answer = [this](int64_t index, const v1::ClassifyStreamResponse& answer) {
      answered_.push_back(index);
      answers_[index] = answer;
    };
    observer_.on_unanswered = [this](int64_t index, const absl::Status&) { unanswered_.push_back(index); };
    observer_.on_reconnecting = [this](const absl::Status&) { ++reconnects_; };
  }

  absl::Status Classify(ImageSource& source, const std::string& model = "animals",
                        Cancellation* cancellation = nullptr) {
    ClientOptions options;
    options.retry.initial_delay = absl::Milliseconds(1);
    options.retry.max_delay = absl::Milliseconds(5);
    v1::ClassifyStreamRequest::Start start;
    start.set_model(model);
    start.set_top_k(2);
    return GraftClient(Connect(server_.address()), options).ClassifyStream(start, source, observer_, cancellation);
  }

  FakeServer server_;
  ClassifyObserver observer_;
  std::vector<int64_t> answered_, unanswered_;
  std::map<int64_t, v1::ClassifyStreamResponse> answers_;
  int reconnects_ = 0;
};

TEST_F(ClassifyStreamTest, AnswersAreReportedInOrderWhateverTheirOrderIs) {
  server_.inference().AnswerBackwards(7);
  MemorySource source(100);
  source.Put(3, "broken");
  EXPECT_OK(Classify(source));
  EXPECT_EQ(answered_, UpTo(100));
  EXPECT_EQ(answers_[0].predictions(0).label(), "cat");
  EXPECT_EQ(answers_[3].error().code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(server_.inference().starts(), SizeIs(1));
  EXPECT_EQ(server_.inference().starts()[0].top_k(), 2);
}

TEST_F(ClassifyStreamTest, NothingToClassifyNeedsNoServer) {
  server_.Stop();
  MemorySource source(0);
  EXPECT_OK(Classify(source));
}

TEST_F(ClassifyStreamTest, UnreadableImageIsItsOwnError) {
  MemorySource source(4);
  source.Put(0, absl::NotFoundError("0.jpg: no such file"));
  source.Put(3, absl::NotFoundError("3.jpg: no such file"));
  EXPECT_OK(Classify(source));
  EXPECT_EQ(answered_, UpTo(4));
  EXPECT_EQ(answers_[0].error().message(), "0.jpg: no such file");
  EXPECT_TRUE(answers_[3].has_error());
  EXPECT_THAT(server_.inference().items(), ElementsAre(1, 2));
}

TEST_F(ClassifyStreamTest, BrokenStreamGoesOnWithWhatHasNoAnswer) {
  server_.inference().BreakStreamsAfterAnswers({5, 7});
  MemorySource source(20);
  EXPECT_OK(Classify(source));
  EXPECT_EQ(answered_, UpTo(20));
  EXPECT_EQ(reconnects_, 2);
  const auto starts = server_.inference().starts();
  ASSERT_THAT(starts, SizeIs(3));
  EXPECT_EQ(starts[0].model(), "animals");
  EXPECT_EQ(starts[1].model(), "models/animals/versions/3");  // an alias may have moved
  EXPECT_EQ(starts[2].model(), "models/animals/versions/3");
}

TEST_F(ClassifyStreamTest, ImagesWithAnAnswerAreNotSentAgain) {
  server_.inference().AnswerBackwards(5);
  server_.inference().BreakStreamsAfterAnswers({3});  // 4, 3, 2
  MemorySource source(5);
  EXPECT_OK(Classify(source));
  EXPECT_EQ(answered_, UpTo(5));
  EXPECT_THAT(server_.inference().items(), ElementsAre(0, 1, 2, 3, 4, 0, 1));
  EXPECT_THAT(source.reads(), ElementsAre(0, 1, 2, 3, 4, 0, 1));
}

TEST_F(ClassifyStreamTest, UnknownModelLeavesEveryImageWithoutAnAnswer) {
  MemorySource source(300);
  EXPECT_THAT(Classify(source, "plants"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("plants")));
  EXPECT_THAT(answered_, IsEmpty());
  EXPECT_EQ(unanswered_, UpTo(300));
  EXPECT_THAT(server_.inference().starts(), SizeIs(1));
}

TEST_F(ClassifyStreamTest, AnswersThatWaitedForAnEarlierOneAreReportedAtTheEnd) {
  server_.inference().AnswerBackwards(4);
  server_.inference().BreakStreamsAfterAnswers({3});  // 3, 2, 1
  server_.inference().FailStreams({absl::OkStatus(), ResourceNotFound("model", "animals", "deleted meanwhile")});
  MemorySource source(4);
  EXPECT_THAT(Classify(source), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(unanswered_, ElementsAre(0));
  EXPECT_THAT(answered_, ElementsAre(1, 2, 3));
}

TEST_F(ClassifyStreamTest, ServerThatStaysAwayIsGivenUp) {
  server_.Stop();
  MemorySource source(3);
  EXPECT_THAT(Classify(source), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(reconnects_, RetryPolicy().max_attempts - 1);
  EXPECT_EQ(unanswered_, UpTo(3));
}

TEST_F(ClassifyStreamTest, ServerThatAsksToWaitIsAskedAgain) {
  // More often than a server is that cannot be reached.
  server_.inference().FailStreams(std::vector<absl::Status>(
      20, RetryLater(absl::StatusCode::kResourceExhausted, "16 streams are under way already", absl::Milliseconds(1))));
  MemorySource source(3);
  EXPECT_OK(Classify(source));
  EXPECT_EQ(answered_, UpTo(3));
}

TEST_F(ClassifyStreamTest, ServerThatForgetsImagesIsAnError) {
  server_.inference().EndStreamsAfterAnswers(2);
  MemorySource source(3);
  EXPECT_THAT(Classify(source), StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(answered_, UpTo(2));
}

TEST_F(ClassifyStreamTest, SenderWaitsForAnImageFarBehind) {
  constexpr int kAhead = 1024;
  server_.inference().AnswerFirstAfter(kAhead - 1);
  MemorySource source(3000);
  size_t reads_at_first_answer = 0;
  observer_.on_answer = [&](int64_t index, const v1::ClassifyStreamResponse&) {
    if (answered_.empty()) reads_at_first_answer = source.reads().size();
    answered_.push_back(index);
  };
  EXPECT_OK(Classify(source));
  EXPECT_EQ(answered_, UpTo(3000));
  EXPECT_EQ(reads_at_first_answer, static_cast<size_t>(kAhead));
}

TEST_F(ClassifyStreamTest, CancellationEndsIt) {
  Cancellation cancellation;
  MemorySource source(1'000'000);
  observer_.on_answer = [&](int64_t index, const v1::ClassifyStreamResponse&) {
    answered_.push_back(index);
    if (index == 10) cancellation.Cancel();
  };
  EXPECT_THAT(Classify(source, "animals", &cancellation), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(answered_, UpTo(static_cast<int64_t>(answered_.size())));
  EXPECT_THAT(unanswered_, IsEmpty());
  EXPECT_EQ(reconnects_, 0);
}

}  // namespace
}  // namespace graft::client
