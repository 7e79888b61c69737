// All fake services on a real gRPC server, on a free loopback port.
#pragma once

#include <grpcpp/server.h>

#include <memory>
#include <string>

#include "graft/v1/inference.grpc.pb.h"
#include "tests/client/fake_dataset_service.h"
#include "tests/client/fake_model_service.h"
#include "tests/client/fake_training_service.h"

namespace graft::testing {

// Knows the model "animals", version 3. The picture "broken" cannot be decoded; any other is a cat.
class FakeInferenceService : public v1::InferenceService::Service {
 public:
  grpc::Status Classify(grpc::ServerContext* context, const v1::ClassifyRequest* request,
                        v1::ClassifyResponse* response) override;
};

class FakeServer {
 public:
  FakeServer();
  ~FakeServer();

  // Breaks all calls; what the services hold stays.
  void Stop();
  // Listens again, on the same address.
  void Start();

  const std::string& address() const { return address_; }
  FakeDatasetService& datasets() { return datasets_; }
  FakeTrainingService& training() { return training_; }
  FakeModelService& models() { return models_; }

 private:
  FakeDatasetService datasets_;
  FakeTrainingService training_;
  FakeModelService models_;
  FakeInferenceService inference_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_ = "127.0.0.1:0";
};

}  // namespace graft::testing
