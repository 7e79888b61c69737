#include "server/services/open_inference_service.h"

#include <grpcpp/server_builder.h>

#include <array>
#include <thread>

#include "inference/grpc_service.grpc.pb.h"
#include "server/services/open_inference_tensors.h"
#include "tests/server/services/server_test.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using Stub = ::inference::GRPCInferenceService::Stub;
using ::inference::ModelInferRequest;
using ::inference::ModelInferResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

// BYTES in raw contents.
ModelInferRequest Encoded(const std::string& model, const std::vector<std::string>& images) {
  ModelInferRequest request;
  request.set_model_name(model);
  auto& input = *request.add_inputs();
  input.set_name("image");
  input.set_datatype("BYTES");
  input.add_shape(static_cast<int64_t>(images.size()));
  request.add_raw_input_contents();
  for (const std::string& image : images) services::AppendRawBytes(image, request.mutable_raw_input_contents(0));
  return request;
}

class OpenInferenceServiceTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    PublishModel("animals");
    PublishModel("animals");
    ASSERT_OK(registry_->SetAlias({.name = "animals", .number = 1, .alias = {}}, "production"));
    stub_ = ::inference::GRPCInferenceService::NewStub(channel_);
  }

  absl::StatusOr<ModelInferResponse> Infer(const ModelInferRequest& request) {
    ModelInferResponse response;
    const absl::Status status = Call(&Stub::ModelInfer, *stub_, request, &response);
    return status.ok() ? absl::StatusOr<ModelInferResponse>(response) : status;
  }

  absl::StatusOr<::inference::ModelStatistics> Statistics(const std::string& version) {
    ::inference::ModelStatisticsRequest request;
    request.set_name("animals");
    request.set_version(version);
    ::inference::ModelStatisticsResponse response;
    const absl::Status status = Call(&Stub::ModelStatistics, *stub_, request, &response);
    if (!status.ok()) return status;
    return response.model_stats(0);
  }

  bool Ready(const std::string& model, const std::string& version) {
    ::inference::ModelReadyRequest request;
    request.set_name(model);
    request.set_version(version);
    ::inference::ModelReadyResponse response;
    EXPECT_OK(Call(&Stub::ModelReady, *stub_, request, &response));
    return response.ready();
  }

  std::unique_ptr<Stub> stub_;
};

TEST_F(OpenInferenceServiceTest, ProbabilitiesStandAtTheirClassIndex) {
  ModelInferRequest request = Encoded("animals", {"photo", "photo"});
  request.set_id("seven");
  ASSERT_OK_AND_ASSIGN(const ModelInferResponse response, Infer(request));
  EXPECT_EQ(response.model_name(), "animals");
  EXPECT_EQ(response.model_version(), "2");
  EXPECT_EQ(response.id(), "seven");
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "probabilities");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 2));
  EXPECT_EQ(response.raw_output_contents(0), services::RawFloats({0.75F, 0.25F, 0.75F, 0.25F}));
}

TEST_F(OpenInferenceServiceTest, ClassificationListsValueIndexAndLabel) {
  ModelInferRequest request = Encoded("animals@production", {"photo"});
  auto& output = *request.add_outputs();
  output.set_name("probabilities");
  (*output.mutable_parameters())["classification"].set_int64_param(1);
  ASSERT_OK_AND_ASSIGN(const ModelInferResponse response, Infer(request));
  EXPECT_EQ(response.model_version(), "1");
  EXPECT_EQ(response.outputs(0).datatype(), "BYTES");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(1, 1));
  std::string expected;
  services::AppendRawBytes("0.750000:0:cat", &expected);
  EXPECT_EQ(response.raw_output_contents(0), expected);
  (*request.mutable_outputs(0)->mutable_parameters())["classification"].set_uint64_param(~uint64_t{0});
  ASSERT_OK_AND_ASSIGN(const ModelInferResponse all, Infer(request));
  EXPECT_THAT(all.outputs(0).shape(), ElementsAre(1, 2));
  (*request.mutable_outputs(0)->mutable_parameters())["classification"].set_string_param("1");
  EXPECT_THAT(Infer(request), StatusIs(kInvalid, HasSubstr("classification")));
}

TEST_F(OpenInferenceServiceTest, PixelsAreHandedOverAsTheyAre) {
  ModelInferRequest request;
  request.set_model_name("animals");
  auto& input = *request.add_inputs();
  input.set_name("image");
  input.set_datatype("UINT8");
  for (const int size : {2, 224, 224, 3}) input.add_shape(size);
  request.add_raw_input_contents(std::string(224 * 224 * 3, 'a') + std::string(224 * 224 * 3, 'b'));
  EXPECT_OK(Infer(request));
  const inference::ClassifyCall last = classifier_->LastCall();
  EXPECT_TRUE(last.image.empty());
  EXPECT_EQ(last.pixels, std::vector<uint8_t>(224 * 224 * 3, 'b'));
  EXPECT_EQ(last.model, "models/animals/versions/2");
}

TEST_F(OpenInferenceServiceTest, ImagesOfOnePassAreOneExecution) {
  ASSERT_OK(Infer(Encoded("animals", {"photo", "photo"})));
  ASSERT_OK_AND_ASSIGN(const auto statistics, Statistics("2"));
  EXPECT_EQ(statistics.inference_count(), 2);
  EXPECT_EQ(statistics.execution_count(), 1);
}

TEST_F(OpenInferenceServiceTest, PriorityAboveOneWaitsForTheOthers) {
  ModelInferRequest request = Encoded("animals", {"photo"});
  const auto priority_of = [&] {
    EXPECT_OK(Infer(request));
    return classifier_->LastCall().priority;
  };
  EXPECT_EQ(priority_of(), inference::Priority::kInteractive);
  auto& priority = (*request.mutable_parameters())["priority"];
  for (const uint64_t level : {0, 1}) {
    priority.set_uint64_param(level);
    EXPECT_EQ(priority_of(), inference::Priority::kInteractive) << level;
  }
  priority.set_uint64_param(2);
  EXPECT_EQ(priority_of(), inference::Priority::kBatch);
  priority.set_int64_param(2);  // of older clients
  EXPECT_EQ(priority_of(), inference::Priority::kBatch);
  priority.set_int64_param(-1);
  EXPECT_THAT(Infer(request), StatusIs(kInvalid, HasSubstr("parameters.priority")));
  priority.set_string_param("high");
  EXPECT_THAT(Infer(request), StatusIs(kInvalid, HasSubstr("parameters.priority")));
}

TEST_F(OpenInferenceServiceTest, OneBadImageFailsTheRequestByItsNumber) {
  EXPECT_THAT(Infer(Encoded("animals", {"photo", "broken"})), StatusIs(kInvalid, HasSubstr("image 1: image: ")));
  const absl::Status full = Infer(Encoded("animals", {"full"})).status();
  EXPECT_THAT(full, StatusIs(absl::StatusCode::kResourceExhausted));
  ASSERT_OK_AND_ASSIGN(const auto statistics, Statistics("2"));
  EXPECT_EQ(statistics.inference_stats().fail().count(), 2);
  EXPECT_EQ(statistics.inference_stats().success().count(), 0);
}

TEST_F(OpenInferenceServiceTest, ModelAndVersionSayWhichOne) {
  for (const auto& [model, version, answers] : std::vector<std::array<std::string, 3>>{{"animals", "", "2"},
                                                                                       {"animals", "1", "1"},
                                                                                       {"animals", "production", "1"},
                                                                                       {"animals:1", "", "1"},
                                                                                       {"models/animals", "1", "1"}}) {
    ModelInferRequest request = Encoded(model, {"photo"});
    request.set_model_version(version);
    ASSERT_OK_AND_ASSIGN(const ModelInferResponse response, Infer(request));
    EXPECT_EQ(response.model_version(), answers) << model << " " << version;
    EXPECT_TRUE(Ready(model, version));
  }
  for (const auto& [model, version] : std::vector<std::pair<std::string, std::string>>{
           {"plants", ""}, {"animals", "3"}, {"animals", "staging"}, {"animals:3", ""}}) {
    ModelInferRequest request = Encoded(model, {"photo"});
    request.set_model_version(version);
    EXPECT_THAT(Infer(request), StatusIs(kNotFound, HasSubstr("Request for unknown model")));
    EXPECT_FALSE(Ready(model, version));
  }
  for (const auto& [model, version] : std::vector<std::pair<std::string, std::string>>{
           {"", ""}, {"No Name", ""}, {"animals", "0"}, {"animals", "-1"}, {"animals", "Up"}, {"animals:1", "1"}}) {
    ModelInferRequest request = Encoded(model, {"photo"});
    request.set_model_version(version);
    EXPECT_THAT(Infer(request), StatusIs(kInvalid, HasSubstr("model_"))) << model << " " << version;
    EXPECT_FALSE(Ready(model, version));
  }
}

TEST_F(OpenInferenceServiceTest, AVersionThatCannotBeLoadedIsNotReady) {
  EXPECT_TRUE(Ready("animals", "2"));
  classifier_->FailLoads(absl::DataLossError("load mobilenet_v2 on cpu: damaged"));
  EXPECT_FALSE(Ready("animals", "2"));
}

TEST_F(OpenInferenceServiceTest, ADeletedVersionIsUnknownAtOnce) {
  ModelInferRequest request = Encoded("animals", {"photo"});
  request.set_model_version("2");
  EXPECT_OK(Infer(request));
  ASSERT_OK(registry_->Delete("animals", 2));
  EXPECT_THAT(Infer(request), StatusIs(kNotFound));
  request.clear_model_version();
  ASSERT_OK_AND_ASSIGN(const ModelInferResponse response, Infer(request));
  EXPECT_EQ(response.model_version(), "1");
  ::inference::RepositoryIndexResponse index;
  EXPECT_OK(Call(&Stub::RepositoryIndex, *stub_, {}, &index));
  ASSERT_EQ(index.models_size(), 1);
  EXPECT_EQ(index.models(0).version(), "1");
}

TEST_F(OpenInferenceServiceTest, UnloadsAllButProduction) {
  const auto unload = [&](const std::string& model) {
    ::inference::RepositoryModelUnloadRequest request;
    request.set_model_name(model);
    (*request.mutable_parameters())["unload_dependents"].set_bool_param(false);  // as tritonclient does
    ::inference::RepositoryModelUnloadResponse response;
    return Call(&Stub::RepositoryModelUnload, *stub_, request, &response);
  };
  for (const char* model : {"animals", "animals:1", "animals@production"}) {
    EXPECT_THAT(unload(model), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("alias production"))) << model;
  }
  EXPECT_THAT(unload("plants"), StatusIs(kNotFound, HasSubstr("Request for unknown model")));
  EXPECT_OK(unload("animals:2"));
  PublishModel("plants");
  EXPECT_OK(unload("plants"));
  EXPECT_THAT(classifier_->unloaded(), ElementsAre("models/animals/versions/2", "plants"));
}

TEST_F(OpenInferenceServiceTest, WhileDrainingItIsLiveAndNotReady) {
  ThreadPool requests("request", 1, 8);
  rpc::Gate gate(&requests, nullptr);
  services::OpenInferenceService service(&gate, classifier_.get(), registry_.get(), nullptr, "0.0-test");
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  Stub stub(server->InProcessChannel({}));
  ::inference::ServerLiveResponse live;
  ::inference::ServerReadyResponse ready;
  EXPECT_OK(Call(&Stub::ServerLive, stub, {}, &live));
  EXPECT_OK(Call(&Stub::ServerReady, stub, {}, &ready));
  EXPECT_TRUE(live.live());
  EXPECT_TRUE(ready.ready());
  gate.Drain();
  EXPECT_OK(Call(&Stub::ServerLive, stub, {}, &live));
  EXPECT_OK(Call(&Stub::ServerReady, stub, {}, &ready));
  EXPECT_TRUE(live.live());
  EXPECT_FALSE(ready.ready());
  ModelInferResponse response;
  EXPECT_THAT(Call(&Stub::ModelInfer, stub, Encoded("animals", {"photo"}), &response),
              StatusIs(absl::StatusCode::kUnavailable));
  server->Shutdown();
}

TEST_F(OpenInferenceServiceTest, CallerWhoHasGoneIsNoticed) {
  auto context = Context();
  absl::Status ended;
  ModelInferResponse response;
  std::thread caller(
      [&] { ended = FromGrpcStatus(stub_->ModelInfer(context.get(), Encoded("animals", {"hold"}), &response)); });
  classifier_->AwaitHeld();
  context->TryCancel();
  caller.join();
  EXPECT_THAT(ended, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_TRUE(classifier_->HeldCallIsCancelled());
  classifier_->ReleaseHeld();
}

TEST_F(OpenInferenceServiceTest, StreamAnswersInTheOrderOfItsRequests) {
  auto context = Context();
  auto stream = stub_->ModelStreamInfer(context.get());
  const std::vector<std::string> images = {"hold", "photo", "broken", "photo"};
  for (size_t i = 0; i < images.size(); ++i) {
    ModelInferRequest request = Encoded(i == 3 ? "plants" : "animals", {images[i]});
    request.set_id(std::to_string(i));
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  classifier_->AwaitHeld();
  classifier_->ReleaseHeld();
  std::vector<std::string> errors, ids;
  for (::inference::ModelStreamInferResponse response; stream->Read(&response);) {
    errors.push_back(response.error_message());
    ids.push_back(response.infer_response().id());
    EXPECT_TRUE(response.infer_response().parameters().at("triton_final_response").bool_param());
  }
  EXPECT_OK(FromGrpcStatus(stream->Finish()));
  EXPECT_THAT(ids, ElementsAre("0", "1", "2", "3"));
  EXPECT_THAT(errors, ElementsAre("", "", HasSubstr("cannot be decoded"), HasSubstr("Request for unknown model")));
}

TEST_F(OpenInferenceServiceTest, EmptyStreamEndsWell) {
  auto context = Context();
  auto stream = stub_->ModelStreamInfer(context.get());
  stream->WritesDone();
  ::inference::ModelStreamInferResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_OK(FromGrpcStatus(stream->Finish()));
}

TEST_F(OpenInferenceServiceTest, AbandonedStreamCancelsWhatIsUnderWay) {
  auto context = Context();
  auto stream = stub_->ModelStreamInfer(context.get());
  ASSERT_TRUE(stream->Write(Encoded("animals", {"hold"})));
  classifier_->AwaitHeld();
  context->TryCancel();
  EXPECT_TRUE(classifier_->HeldCallIsCancelled());
  classifier_->ReleaseHeld();
  EXPECT_THAT(FromGrpcStatus(stream->Finish()), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(OpenInferenceServiceTest, StreamsAreBounded) {
  using Stream = grpc::ClientReaderWriter<ModelInferRequest, ::inference::ModelStreamInferResponse>;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<Stream>> streams;
  ::inference::ModelStreamInferResponse response;
  for (int i = 0; i < services::kMaxInferStreams; ++i) {
    contexts.push_back(Context());
    streams.push_back(stub_->ModelStreamInfer(contexts.back().get()));
    ASSERT_TRUE(streams.back()->Write(Encoded("animals", {"photo"})));
    ASSERT_TRUE(streams.back()->Read(&response));
  }
  auto context = Context();
  auto one_more = stub_->ModelStreamInfer(context.get());
  EXPECT_FALSE(one_more->Read(&response));
  EXPECT_THAT(FromGrpcStatus(one_more->Finish()), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("32")));
  for (const auto& stream : streams) {
    stream->WritesDone();
    EXPECT_OK(FromGrpcStatus(stream->Finish()));
  }
}

}  // namespace
}  // namespace graft::testing
