// All fake services on a real gRPC server, on a free loopback port.
#pragma once

#include <grpcpp/server.h>

#include <memory>
#include <string>

#include "tests/client/fake_dataset_service.h"
#include "tests/client/fake_inference_service.h"
#include "tests/client/fake_model_service.h"
#include "tests/client/fake_training_service.h"

namespace graft::testing {

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
  FakeInferenceService& inference() { return inference_; }

 private:
  FakeDatasetService datasets_;
  FakeTrainingService training_;
  FakeModelService models_;
  FakeInferenceService inference_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_ = "127.0.0.1:0";
};

}  // namespace graft::testing
