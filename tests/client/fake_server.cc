#include "tests/client/fake_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>

#include "core/base/errors.h"
#include "proto/status_codec.h"

namespace graft::testing {

grpc::Status FakeInferenceService::Classify(grpc::ServerContext*, const v1::ClassifyRequest* request,
                                            v1::ClassifyResponse* response) {
  if (request->model() != "animals") return ToGrpcStatus(ResourceNotFound("model", request->model()), "fake-request");
  if (request->image() == "broken") return ToGrpcStatus(InvalidField("image", "is not a picture"), "fake-request");
  response->set_model_version("models/animals/versions/3");
  auto* cat = response->add_predictions();
  cat->set_label("cat");
  cat->set_probability(0.75);
  auto* dog = response->add_predictions();
  dog->set_label("dog");
  dog->set_probability(0);
  dog->set_index(1);
  return grpc::Status::OK;
}

FakeServer::FakeServer() {
  Start();
}

void FakeServer::Start() {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&datasets_);
  builder.RegisterService(&training_);
  builder.RegisterService(&models_);
  builder.RegisterService(&inference_);
  server_ = builder.BuildAndStart();
  address_ = "127.0.0.1:" + std::to_string(port);
}

FakeServer::~FakeServer() {
  Stop();
}

void FakeServer::Stop() {
  server_->Shutdown(std::chrono::system_clock::now());
}

}  // namespace graft::testing
