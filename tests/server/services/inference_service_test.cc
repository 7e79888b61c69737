#include <thread>

#include "core/base/errors.h"
#include "tests/server/services/server_test.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using Stub = v1::InferenceService::Stub;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kNotFound = absl::StatusCode::kNotFound;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

class InferenceServiceTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    PublishModel("animals");
  }
  absl::StatusOr<v1::ClassifyResponse> Classify(const std::string& model, const std::string& image, int top_k = 0) {
    v1::ClassifyRequest request;
    request.set_model(model);
    request.set_image(image);
    request.set_top_k(top_k);
    v1::ClassifyResponse response;
    const absl::Status status = Call(&Stub::Classify, *inference_, request, &response);
    return status.ok() ? absl::StatusOr<v1::ClassifyResponse>(response) : status;
  }
  absl::StatusOr<v1::ClassifyBatchResponse> ClassifyBatch(const std::string& model,
                                                          const std::vector<std::string>& images) {
    v1::ClassifyBatchRequest request;
    request.set_model(model);
    for (const std::string& image : images) request.add_images(image);
    v1::ClassifyBatchResponse response;
    const absl::Status status = Call(&Stub::ClassifyBatch, *inference_, request, &response);
    return status.ok() ? absl::StatusOr<v1::ClassifyBatchResponse>(response) : status;
  }
};

TEST_F(InferenceServiceTest, ClassifyAnswersWithVersionAndTimes) {
  ASSERT_OK_AND_ASSIGN(const v1::ClassifyResponse response, Classify("animals", "photo"));
  EXPECT_EQ(response.model_version(), "models/animals/versions/1");
  ASSERT_EQ(response.predictions_size(), 2);
  EXPECT_EQ(response.predictions(0).label(), "cat");
  EXPECT_EQ(response.predictions(0).probability(), 0.75);
  EXPECT_EQ(response.times().decode().nanos(), 2'000'000);
  EXPECT_EQ(response.times().total().nanos(), 8'000'000);
  ASSERT_OK_AND_ASSIGN(const v1::ClassifyResponse one, Classify("animals", "photo", 1));
  EXPECT_EQ(one.predictions_size(), 1);
}

TEST_F(InferenceServiceTest, ClassifyErrorsHaveTheirCodes) {
  EXPECT_THAT(Classify("animals", "broken"), StatusIs(kInvalid, HasSubstr("image")));
  EXPECT_THAT(Classify("plants", "photo"), StatusIs(kNotFound));
  EXPECT_THAT(Classify("", "photo"), StatusIs(kInvalid, HasSubstr("model")));
  EXPECT_THAT(Classify("animals", "photo", 1001), StatusIs(kInvalid, HasSubstr("top_k")));
  EXPECT_THAT(Classify("animals", "photo", -1), StatusIs(kInvalid, HasSubstr("top_k")));
  const absl::Status full = Classify("animals", "full").status();
  EXPECT_THAT(full, StatusIs(kExhausted));
  const auto detail = DetailOf(full);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(std::get<RetryDetail>(*detail).delay, absl::Milliseconds(100));
}

TEST_F(InferenceServiceTest, ClassifierSeesThatItsCallerHasGone) {
  auto context = Context();
  v1::ClassifyRequest request;
  request.set_model("animals");
  request.set_image("hold");
  v1::ClassifyResponse response;
  absl::Status ended;
  std::thread caller([&] { ended = FromGrpcStatus(inference_->Classify(context.get(), request, &response)); });
  classifier_->AwaitHeld();
  context->TryCancel();
  caller.join();
  EXPECT_THAT(ended, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_TRUE(classifier_->HeldCallIsCancelled());
  classifier_->ReleaseHeld();
  EXPECT_OK(Classify("animals", "photo"));
}

TEST_F(InferenceServiceTest, OneBadImageDoesNotFailTheOthers) {
  ASSERT_OK_AND_ASSIGN(const v1::ClassifyBatchResponse response,
                       ClassifyBatch("animals", {"photo", "broken", "photo", "full"}));
  EXPECT_EQ(response.model_version(), "models/animals/versions/1");
  ASSERT_EQ(response.results_size(), 4);
  EXPECT_EQ(response.results(0).predictions_size(), 2);
  EXPECT_FALSE(response.results(0).has_error());
  EXPECT_EQ(response.results(1).error().code(), static_cast<int>(kInvalid));
  EXPECT_EQ(response.results(1).predictions_size(), 0);
  EXPECT_EQ(response.results(2).predictions(0).label(), "cat");
  EXPECT_EQ(response.results(3).error().code(), static_cast<int>(kExhausted));
  EXPECT_EQ(response.times().forward().nanos(), 5'000'000);
}

TEST_F(InferenceServiceTest, BatchIsOneToThirtyTwoImages) {
  EXPECT_THAT(ClassifyBatch("animals", {}), StatusIs(kInvalid, HasSubstr("images")));
  EXPECT_THAT(ClassifyBatch("animals", std::vector<std::string>(33, "photo")), StatusIs(kInvalid, HasSubstr("32")));
  ASSERT_OK_AND_ASSIGN(const v1::ClassifyBatchResponse response,
                       ClassifyBatch("animals", std::vector<std::string>(32, "photo")));
  EXPECT_EQ(response.results_size(), 32);
  EXPECT_THAT(ClassifyBatch("animals", std::vector<std::string>(2, std::string(31 << 20, 'x'))),
              StatusIs(kInvalid, HasSubstr("60 MiB")));
  EXPECT_THAT(ClassifyBatch("plants", {"photo"}), StatusIs(kNotFound));
}

}  // namespace
}  // namespace graft::testing
