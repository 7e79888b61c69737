#include "server/services/health_service.h"

#include "core/access/access_store.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "inference/grpc_service.grpc.pb.h"
#include "tests/server/services/server_test.h"
#include "tests/testing/eventually.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr auto kMissing = absl::StatusCode::kNotFound;

class HealthServiceTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    health_ = Health::NewStub(channel_);
  }
  absl::StatusOr<HealthCheckResponse::ServingStatus> Check(const std::string& service, const std::string& token = "") {
    auto context = Context();
    if (!token.empty()) context->AddMetadata("authorization", "Bearer " + token);
    HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    const absl::Status status = FromGrpcStatus(health_->Check(context.get(), request, &response));
    return status.ok() ? absl::StatusOr<HealthCheckResponse::ServingStatus>(response.status()) : status;
  }

  std::unique_ptr<Health::Stub> health_;
};

TEST_F(HealthServiceTest, ModelsAreServingOnceTheyAreLoaded) {
  EXPECT_THAT(Check("animals"), StatusIs(kMissing));
  PublishModel("animals");
  for (const char* name : {"animals", "animals:1", "models/animals/versions/1"}) {
    EXPECT_THAT(Check(name), IsOkAndHolds(HealthCheckResponse::SERVING)) << name;
  }
  for (const char* name : {"animals:2", "animals@production", "Not a name"}) {
    EXPECT_THAT(Check(name), StatusIs(kMissing)) << name;
  }
}

TEST_F(HealthServiceTest, WatchSaysWhatChanges) {
  auto context = Context();
  HealthCheckRequest request;
  request.set_service("animals");
  const auto watch = health_->Watch(context.get(), request);
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  PublishModel("animals");
  do {
    ASSERT_TRUE(watch->Read(&response));
  } while (response.status() == HealthCheckResponse::NOT_SERVING);  // while it loads
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  context->TryCancel();
}

TEST_F(HealthServiceTest, AModelThatCouldNotBeLoadedIsTriedAgain) {
  PublishModel("animals");
  classifier_->FailLoads(absl::ResourceExhaustedError("no memory"));
  auto context = Context();
  HealthCheckRequest request;
  request.set_service("animals");
  const auto watch = health_->Watch(context.get(), request);
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_THAT(Check("animals"), IsOkAndHolds(HealthCheckResponse::NOT_SERVING));
  classifier_->FailLoads(absl::OkStatus());
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  context->TryCancel();
}

TEST_F(HealthServiceTest, SoManyWatch) {
  constexpr int kMost = services::HealthService::kMaxWatches;
  std::vector<std::unique_ptr<Health::Stub>> stubs;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<HealthCheckResponse>>> watches;
  for (int i = 0; i <= kMost; ++i) {
    if (i % 50 == 0) stubs.push_back(Health::NewStub(NewChannel()));
    contexts.push_back(Context());
    watches.push_back(stubs.back()->Watch(contexts.back().get(), {}));
    HealthCheckResponse response;
    EXPECT_EQ(watches.back()->Read(&response), i < kMost) << i;
  }
  EXPECT_THAT(FromGrpcStatus(watches.back()->Finish()), StatusIs(absl::StatusCode::kResourceExhausted));
  for (auto& context : contexts) context->TryCancel();
}

TEST_F(HealthServiceTest, WhileDrainingItIsNotServingAndCallsAreStillAnswered) {
  auto context = Context();
  const auto watch = health_->Watch(context.get(), {});
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  PublishModel("animals");
  std::thread draining([&] { server_->Drain(absl::Seconds(2), absl::Seconds(30)); });
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_THAT(Check(""), IsOkAndHolds(HealthCheckResponse::NOT_SERVING));
  EXPECT_THAT(Check("animals"), IsOkAndHolds(HealthCheckResponse::NOT_SERVING));
  v1::ServerInfo info;
  EXPECT_OK(Call(&v1::SystemService::Stub::GetServerInfo, *system_, {}, &info)) << "live, though not ready";
  ::inference::GRPCInferenceService::Stub open_inference(channel_);
  ::inference::ServerReadyResponse ready;
  EXPECT_OK(Call(&::inference::GRPCInferenceService::Stub::ServerReady, open_inference, {}, &ready));
  EXPECT_FALSE(ready.ready());
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_THAT(FromGrpcStatus(watch->Finish()), StatusIs(absl::StatusCode::kUnavailable));
  draining.join();
}

class HealthAccessTest : public HealthServiceTest {
 protected:
  void SetUp() override {
    access_ = {.asks = true, .rates = {}};
    HealthServiceTest::SetUp();
  }
};

TEST_F(HealthAccessTest, ModelsAreToldToThoseWhoMayUseThem) {
  PublishModel("animals");
  PublishModel("plants");
  const std::string token =
      access::AccessStore(database_.get())
          .CreateToken({.name = "team", .role = access::Role::kPredictor, .prefixes = {"animals"}}, absl::Hours(1),
                       "me")
          .value();
  EXPECT_TRUE(Eventually([&] { return Check("animals", token).ok(); }));
  EXPECT_THAT(Check("animals", token), IsOkAndHolds(HealthCheckResponse::SERVING));
  EXPECT_THAT(Check("plants", token), StatusIs(kMissing));
  EXPECT_THAT(Check("animals"), StatusIs(kMissing));
  EXPECT_THAT(Check(""), IsOkAndHolds(HealthCheckResponse::SERVING)) << "a kubelet has no token";
}

TEST_F(HealthAccessTest, NobodyTakesThePlacesOfThoseWhoAreKnown) {
  const std::string token = access::AccessStore(database_.get())
                                .CreateToken({.name = "team", .role = access::Role::kPredictor}, absl::Hours(1), "me")
                                .value();
  std::vector<std::unique_ptr<Health::Stub>> stubs;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<HealthCheckResponse>>> watches;
  const auto watch = [&](const std::string& as) {
    if (contexts.size() % 50 == 0) stubs.push_back(Health::NewStub(NewChannel()));
    contexts.push_back(Context());
    if (!as.empty()) contexts.back()->AddMetadata("authorization", "Bearer " + as);
    watches.push_back(stubs.back()->Watch(contexts.back().get(), {}));
    HealthCheckResponse response;
    return watches.back()->Read(&response);
  };
  for (int i = 0; i < services::HealthService::kMaxWatches; ++i) ASSERT_TRUE(watch("")) << i;
  EXPECT_FALSE(watch("")) << "as many as there may be of nobody";
  EXPECT_TRUE(Eventually([&] { return watch(token); })) << "as soon as the server knows the token";
  for (auto& context : contexts) context->TryCancel();
}

}  // namespace
}  // namespace graft::testing
