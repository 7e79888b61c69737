// Every library of the stack in one process, each used once: their clashes show here and not at release.
#include <ATen/ATen.h>
#include <archive.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/registry.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <opencv2/imgproc.hpp>
#include <openvino/openvino.hpp>
#include <openvino/opsets/opset8.hpp>

#include "graft/v1/inference.grpc.pb.h"

namespace graft {
namespace {

class EchoService : public v1::InferenceService::Service {
  grpc::Status Classify(grpc::ServerContext*, const v1::ClassifyRequest* request,
                        v1::ClassifyResponse* response) override {
    response->set_model_version(request->model());
    return grpc::Status::OK;
  }
};

TEST(LinkTest, GrpcAndProtobufAnswerACall) {
  EchoService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  auto stub = v1::InferenceService::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::ClassifyRequest request;
  request.set_model("animals");
  v1::ClassifyResponse response;
  ASSERT_TRUE(stub->Classify(&context, request, &response).ok());
  EXPECT_EQ(response.model_version(), "animals");
}

TEST(LinkTest, LibTorchConvolves) {
  const at::Tensor output = at::conv2d(at::ones({1, 3, 8, 8}), at::ones({4, 3, 3, 3}));
  EXPECT_EQ(output.sizes(), (std::vector<int64_t>{1, 4, 6, 6}));
  EXPECT_FLOAT_EQ(output[0][0][0][0].item<float>(), 27.0F);
}

TEST(LinkTest, OpenVinoCompilesAndRuns) {
  auto input = std::make_shared<ov::opset8::Parameter>(ov::element::f32, ov::Shape{4});
  auto relu = std::make_shared<ov::opset8::Relu>(input);
  auto model = std::make_shared<ov::Model>(ov::OutputVector{relu}, ov::ParameterVector{input});
  ov::Core core;
  ov::InferRequest request =
      core.compile_model(model, "CPU", ov::hint::inference_precision(ov::element::f32)).create_infer_request();
  float values[] = {-1, 2, -3, 4};
  request.set_input_tensor(ov::Tensor(ov::element::f32, ov::Shape{4}, values));
  request.infer();
  const float* output = request.get_output_tensor().data<float>();
  EXPECT_EQ(std::vector<float>(output, output + 4), (std::vector<float>{0, 2, 0, 4}));
}

TEST(LinkTest, OpenCvResizes) {
  cv::Mat resized;
  cv::resize(cv::Mat(4, 4, CV_8UC3, cv::Scalar(1, 2, 3)), resized, cv::Size(2, 2));
  EXPECT_EQ(resized.at<cv::Vec3b>(1, 1), cv::Vec3b(1, 2, 3));
}

TEST(LinkTest, SociQueriesSqlite) {
  soci::session sql(soci::sqlite3, ":memory:");
  int answer = 0;
  sql << "select 6 * 7", soci::into(answer);
  EXPECT_EQ(answer, 42);
}

TEST(LinkTest, PrometheusExposes) {
  auto registry = std::make_shared<prometheus::Registry>();
  prometheus::BuildCounter().Name("graft_test_total").Register(*registry).Add({}).Increment();
  prometheus::Exposer exposer("127.0.0.1:0");
  exposer.RegisterCollectable(registry);
  EXPECT_FALSE(exposer.GetListeningPorts().empty());
  EXPECT_EQ(registry->Collect().at(0).metric.at(0).counter.value, 1);
}

TEST(LinkTest, Hdf5ArchiveJsonAndFlagsAreThere) {
  unsigned major = 0, minor = 0, release = 0;
  ASSERT_GE(H5get_libversion(&major, &minor, &release), 0);
  EXPECT_EQ(major, 1U);
  archive* reader = archive_read_new();
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(archive_read_support_format_zip(reader), ARCHIVE_OK);
  archive_read_free(reader);
  EXPECT_EQ(nlohmann::json::parse(R"({"a": 1})")["a"], 1);
  CLI::App app;
  int epochs = 0;
  app.add_option("--epochs", epochs);
  app.parse("--epochs 3", false);
  EXPECT_EQ(epochs, 3);
}

}  // namespace
}  // namespace graft
