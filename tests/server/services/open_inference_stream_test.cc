#include "server/services/open_inference_stream.h"

#include <gmock/gmock.h>

#include "absl/synchronization/notification.h"
#include "tests/server/services/server_test.h"

namespace graft::testing {
namespace {

using ::inference::ModelInferRequest;
using ::inference::ModelStreamInferResponse;
using services::InferStreamSession;
using ::testing::HasSubstr;

// A caller who takes its answer slowly.
class SlowTicket final : public rpc::WindowTicket<ModelStreamInferResponse> {
 public:
  void Answer(ModelStreamInferResponse response) override {
    error_ = response.error_message();
    entered_.Notify();
    EXPECT_TRUE(may_return_.WaitForNotificationWithTimeout(absl::Seconds(20)));
    answered_.Notify();
  }
  void EndStream(const absl::Status& error) override { ADD_FAILURE() << error; }

  std::string error_;
  absl::Notification entered_, may_return_, answered_;
};

using InferStreamTest = ServerTest;

// gRPC's thread, which brings the next request, must not wait for the write of an answer.
TEST_F(InferStreamTest, RequestsComeInWhileAnAnswerIsWritten) {
  services::OpenInferenceModels models(registry_.get());
  services::OpenInferenceStatistics statistics;
  services::OpenInference inference(classifier_.get(), &models, &statistics, nullptr);
  ThreadPool pool("request", 2, 8);
  const auto session = std::make_shared<InferStreamSession>(&inference, &pool, absl::InfiniteFuture(), nullptr);
  const auto first = std::make_shared<SlowTicket>(), second = std::make_shared<SlowTicket>();
  ModelInferRequest request;
  request.set_model_name("unknown");
  session->OnMessage(request, first);
  first->entered_.WaitForNotification();
  session->OnMessage(request, second);
  first->may_return_.Notify();
  second->may_return_.Notify();
  first->answered_.WaitForNotification();
  second->answered_.WaitForNotification();
  EXPECT_THAT(second->error_, HasSubstr("unknown model"));
}

}  // namespace
}  // namespace graft::testing
