#include "tests/server/services/server_test.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <map>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/status_macros.h"
#include "core/registry/manifest.h"
#include "core/weights/weight_store.h"
#include "tests/core/image/made_images.h"
#include "tests/server/services/uploading.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {

void ServerTest::SetUp() {
  ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(data_.database()));
  ASSERT_OK_AND_ASSIGN(blobs_, store::BlobStore::Open(data_.blobs(), database_.get()));
  dataset_store_ = std::make_unique<dataset::DatasetStore>(database_.get(), blobs_.get());
  job_store_ = std::make_unique<jobs::JobStore>(database_.get());
  feed_ = jobs::ChangeFeed::Start(database_.get(), job_store_.get(), absl::Milliseconds(5));
  registry_ = std::make_unique<registry::Registry>(database_.get(), data_.models());
  classifier_ = std::make_unique<FakeClassifier>(registry_.get());

  ServerSettings settings;
  settings.listen = {"127.0.0.1", 0};
  if (with_metrics_) settings.metrics_listen = config::ListenAddress{"127.0.0.1", 0};
  settings.data_dir = data_.root;
  settings.weights_root = data_.weights();
  settings.version = "0.0-test";
  settings.library_versions = {{"grpc", "1"}};
  settings.devices = {"cpu"};
  settings.cores_per_worker = 3;
  settings.tls = tls_;
  settings.connection = connection_;
  settings.access = access_;
  ASSERT_OK_AND_ASSIGN(server_, Server::Start(Parts(), settings));
  channel_ = NewChannel();
  datasets_ = v1::DatasetService::NewStub(channel_);
  training_ = v1::TrainingService::NewStub(channel_);
  models_ = v1::ModelService::NewStub(channel_);
  inference_ = v1::InferenceService::NewStub(channel_);
  system_ = v1::SystemService::NewStub(channel_);
}

ServerParts ServerTest::Parts() {
  return {database_.get(),
          dataset_store_.get(),
          job_store_.get(),
          feed_.get(),
          registry_.get(),
          classifier_.get(),
          [](const std::string& device) { return device == "cpu"; },
          [](const std::string&) { return 0; }};
}

std::shared_ptr<grpc::Channel> ServerTest::NewChannel() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxSendMessageSize(-1);
  return grpc::CreateCustomChannel(server_->listening().ToString(), grpc::InsecureChannelCredentials(), arguments);
}

std::unique_ptr<grpc::ClientContext> ServerTest::Context() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  return context;
}

std::vector<Photo> ServerTest::TwoClasses(int per_class) {
  std::vector<Photo> photos;
  for (const char* label : {"cat", "dog"}) {
    for (int i = 0; i < per_class; ++i) {
      const int height = 8 + i + (label[0] == 'c' ? 0 : 100);  // also the picture's number
      photos.push_back({absl::StrCat(label, "/", i, ".png"), label,
                        image::testing::Encode(image::testing::Scene(height, height, 9), ".png")});
    }
  }
  return photos;
}

absl::StatusOr<v1::UploadDatasetResponse::Complete> ServerTest::Upload(const std::string& dataset,
                                                                       const std::vector<Photo>& photos) {
  std::map<std::string, std::string> bytes_of;
  for (const Photo& photo : photos) bytes_of[Sha256Hex(photo.bytes)] = photo.bytes;
  Uploading upload(*datasets_, Context());
  upload.Start(dataset);
  upload.Announce(photos);
  for (const std::string& sha256 : upload.Announced()) upload.Blob(bytes_of[sha256]);
  upload.Commit();
  RETURN_IF_ERROR(upload.Finish());
  return upload.last().complete();
}

void ServerTest::PutWeights(const std::string& backbone) {
  ASSERT_OK(weights::PutWeights(data_.weights(), backbone, "not really weights", "random:1", "none"));
}

void ServerTest::PublishModel(const std::string& model, const Tested& tested) {
  registry::Manifest manifest;
  manifest.model = model;
  manifest.backbone = "mobilenet_v2";
  manifest.backbone_sha256 = std::string(64, 'a');
  manifest.base_backbone_sha256 = manifest.backbone_sha256;
  manifest.labels = {"cat", "dog"};
  manifest.preprocess.normalization = "minus_one_to_one";
  manifest.dataset_version = "datasets/animals/versions/1";
  manifest.split_hash = "5711";
  manifest.test_split_hash = tested.test_split_hash;
  manifest.temperature = 1.25;
  manifest.job = "jobs/j1";
  jobs::TrainSpec spec;
  spec.backbone = "mobilenet_v2";
  spec.epochs = 10;
  manifest.spec_json = jobs::ToJson(spec);
  jobs::Result result;
  result.test_accuracy = 0.875;
  result.classes = tested.classes;
  manifest.result_json = jobs::ToJson(result);
  ASSERT_OK_AND_ASSIGN(const std::string text, registry::ToJson(manifest));
  ASSERT_OK_AND_ASSIGN(const registry::Staged staged,
                       registry_->Stage(model, manifest.backbone, manifest.backbone_sha256, "j1",
                                        {.head = "head", .manifest = text, .evaluation = tested.evaluation}));
  ASSERT_OK(database_->Write("publish", [&](store::Transaction& transaction) {
    return registry_->Publish(transaction, staged, "").status();
  }));
}

absl::StatusOr<v1::Job> ServerTest::SubmitJob(const std::string& request_id) {
  PutWeights("mobilenet_v2");
  RETURN_IF_ERROR(Upload("animals", TwoClasses(8)).status());
  v1::SubmitJobRequest request;
  request.mutable_spec()->set_dataset("animals");
  request.mutable_spec()->set_backbone("mobilenet_v2");
  request.set_request_id(request_id);
  v1::Job job;
  RETURN_IF_ERROR(Call(&v1::TrainingService::Stub::SubmitJob, *training_, request, &job));
  return job;
}

}  // namespace graft::testing
