// A running server in the test's process: real stores in a temporary folder, real gRPC on a free port, a fake network,
// no workers.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/base/data_folder.h"
#include "core/jobs/job.h"
#include "core/store/blob_store.h"
#include "graft/v1/dataset.grpc.pb.h"
#include "graft/v1/inference.grpc.pb.h"
#include "graft/v1/model.grpc.pb.h"
#include "graft/v1/system.grpc.pb.h"
#include "graft/v1/training.grpc.pb.h"
#include "proto/status_codec.h"
#include "server/main/server.h"
#include "tests/server/services/fake_classifier.h"
#include "tests/testing/temporary_folder.h"

namespace graft::testing {

struct Photo {
  std::string path;
  std::string label;
  std::string bytes;
  std::string group = {};
};

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override;

  // A client's context that gives up instead of hanging the test.
  static std::unique_ptr<grpc::ClientContext> Context();

  // What a server of the same stores works on.
  ServerParts Parts();
  // A connection of its own.
  std::shared_ptr<grpc::Channel> NewChannel() const;

  // One unary call: Call(&Stub::GetJob, *training_, request, &response).
  template <typename Stub, typename Request, typename Response>
  absl::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Stub& stub,
                    const Request& request, Response* response) {
    return FromGrpcStatus((stub.*method)(Context().get(), request, response));
  }

  // `per_class` decodable photos of each of two classes, all different.
  static std::vector<Photo> TwoClasses(int per_class);
  // Uploads them; the response that ended the stream well.
  absl::StatusOr<v1::UploadDatasetResponse::Complete> Upload(const std::string& dataset,
                                                             const std::vector<Photo>& photos);
  // Gives a backbone weights (that no network could read).
  void PutWeights(const std::string& backbone);
  // Publishes a version as a worker would, without training.
  struct Tested {
    std::string test_split_hash;
    std::vector<jobs::ClassMetrics> classes;
    std::string evaluation;  // JSON; empty: published before there were such records
  };
  void PublishModel(const std::string& model, const Tested& tested = {});
  // A job on the data set "animals", which it uploads when need be.
  absl::StatusOr<v1::Job> SubmitJob(const std::string& request_id = "");

  // Before SetUp: what differs from a server without TLS, at which everybody may do everything.
  access::CertificateFiles tls_;
  ConnectionLimits connection_;
  access::GuardOptions access_ = {.asks = false, .rates = {}};
  bool with_metrics_ = false;  // the endpoint takes two seconds to stop
  TemporaryFolder folder_;
  DataFolder data_{folder_.path()};
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::BlobStore> blobs_;
  std::unique_ptr<dataset::DatasetStore> dataset_store_;
  std::unique_ptr<jobs::JobStore> job_store_;
  std::unique_ptr<jobs::ChangeFeed> feed_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<FakeClassifier> classifier_;
  std::unique_ptr<Server> server_;

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::DatasetService::Stub> datasets_;
  std::unique_ptr<v1::TrainingService::Stub> training_;
  std::unique_ptr<v1::ModelService::Stub> models_;
  std::unique_ptr<v1::InferenceService::Stub> inference_;
  std::unique_ptr<v1::SystemService::Stub> system_;
};

}  // namespace graft::testing
