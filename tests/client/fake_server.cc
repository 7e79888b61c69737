#include "tests/client/fake_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>

namespace graft::testing {

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
