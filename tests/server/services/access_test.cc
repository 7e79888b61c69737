#include <grpcpp/generic/generic_stub.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "core/access/access_store.h"
#include "core/access/audit_log.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "inference/grpc_service.grpc.pb.h"
#include "server/access/policy.h"
#include "tests/server/services/server_test.h"
#include "tests/server/services/uploading.h"
#include "tests/testing/eventually.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using access::Principal;
using access::Role;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto kMissing = absl::StatusCode::kNotFound;
constexpr auto kNoCredentials = absl::StatusCode::kUnauthenticated;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

// Who may call what, written down a second time: v(iewer), p(redictor), t(rainer), a(dmin), * (everybody).
constexpr char kMatrix[] = R"(
graft.v1.DatasetService/UploadDataset ta
graft.v1.DatasetService/GetDataset vta
graft.v1.DatasetService/ListDatasets vta
graft.v1.DatasetService/GetDatasetReport vta
graft.v1.DatasetService/DiffDatasetVersions vta
graft.v1.TrainingService/SubmitJob ta
graft.v1.TrainingService/GetJob vta
graft.v1.TrainingService/ListJobs vta
graft.v1.TrainingService/WatchJob vta
graft.v1.TrainingService/CancelJob ta
graft.v1.TrainingService/PauseJob ta
graft.v1.TrainingService/ResumeJob ta
graft.v1.ModelService/ListModels vta
graft.v1.ModelService/GetModelVersion vpta
graft.v1.ModelService/ListModelVersions vta
graft.v1.ModelService/SetAlias ta
graft.v1.ModelService/RollbackAlias ta
graft.v1.ModelService/ListAliasHistory vta
graft.v1.ModelService/DeleteModelVersion a
graft.v1.ModelService/CompareModelVersions vta
graft.v1.ModelService/ListSuspects vta
graft.v1.InferenceService/Classify pta
graft.v1.InferenceService/ClassifyBatch pta
graft.v1.InferenceService/ClassifyStream pta
graft.v1.SystemService/GetServerInfo vpta
inference.GRPCInferenceService/ServerLive *
inference.GRPCInferenceService/ServerReady *
inference.GRPCInferenceService/ServerMetadata vpta
inference.GRPCInferenceService/ModelReady vpta
inference.GRPCInferenceService/ModelMetadata vpta
inference.GRPCInferenceService/ModelConfig vpta
inference.GRPCInferenceService/ModelStatistics vpta
inference.GRPCInferenceService/ModelInfer pta
inference.GRPCInferenceService/ModelStreamInfer pta
inference.GRPCInferenceService/RepositoryIndex vpta
inference.GRPCInferenceService/RepositoryModelLoad ta
inference.GRPCInferenceService/RepositoryModelUnload a
grpc.health.v1.Health/Check *
grpc.health.v1.Health/Watch *
grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo vpta
)";

class AccessTest : public ServerTest {
 protected:
  void SetUp() override {
    access_ = {.asks = true, .rates = {.calls_per_second = 1000, .burst = 1000, .max_streams = 4}};
    ServerTest::SetUp();
  }

  // The server knows it when this returns.
  std::string MakeToken(const Principal& principal) {
    const std::string token = access::AccessStore(database_.get()).CreateToken(principal, absl::Hours(1), "me").value();
    EXPECT_TRUE(Eventually([&] { return Known(token); }));
    return token;
  }
  bool Known(const std::string& token) {
    v1::ServerInfo info;
    return system_->GetServerInfo(ContextOf(token).get(), {}, &info).error_code() != grpc::StatusCode::UNAUTHENTICATED;
  }
  static std::unique_ptr<grpc::ClientContext> ContextOf(const std::string& token) {
    auto context = Context();
    if (!token.empty()) context->AddMetadata("authorization", "Bearer " + token);
    return context;
  }
  template <typename Stub, typename Request, typename Response>
  static absl::Status CallAs(const std::string& token,
                             grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Stub& stub,
                             const Request& request, Response* response) {
    return FromGrpcStatus((stub.*method)(ContextOf(token).get(), request, response));
  }
  // Sends one empty message, whatever the shape of the call; OK once anything comes back.
  absl::StatusCode Knock(const std::string& method, const std::string& token) {
    grpc::GenericStub stub(channel_);
    const auto context = ContextOf(token);
    grpc::CompletionQueue queue;
    void* tag = nullptr;
    bool ok = false;
    const auto call = stub.PrepareCall(context.get(), "/" + method, &queue);
    call->StartCall(this);
    queue.Next(&tag, &ok);
    const grpc::Slice nothing;
    call->WriteLast(grpc::ByteBuffer(&nothing, 1), grpc::WriteOptions(), this);
    queue.Next(&tag, &ok);
    grpc::ByteBuffer answer;
    call->Read(&answer, this);
    queue.Next(&tag, &ok);
    const bool answered = ok;
    if (answered) context->TryCancel();
    grpc::Status status;
    call->Finish(&status, this);
    queue.Next(&tag, &ok);
    return answered ? absl::StatusCode::kOk : FromGrpcStatus(status).code();
  }
  absl::Status Promote(const std::string& token, const std::string& model) {
    v1::SetAliasRequest request;
    request.set_name(model);
    request.set_alias("production");
    v1::ModelVersion version;
    return CallAs(token, &v1::ModelService::Stub::SetAlias, *models_, request, &version);
  }
  std::vector<access::AuditEntry> Audit() { return access::AuditLog(database_.get()).After(0, 1000).value(); }
};

TEST_F(AccessTest, EveryRpcForEveryRole) {
  const std::map<char, std::string> tokens = {{'v', MakeToken({.name = "viewer", .role = Role::kViewer})},
                                              {'p', MakeToken({.name = "predictor", .role = Role::kPredictor})},
                                              {'t', MakeToken({.name = "trainer", .role = Role::kTrainer})},
                                              {'a', MakeToken({.name = "admin", .role = Role::kAdmin})}};
  int rows = 0;
  for (const absl::string_view line : absl::StrSplit(kMatrix, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> row = absl::StrSplit(line, ' ');
    const bool everybody = row.second == "*";
    EXPECT_EQ(Knock(row.first, "") != kNoCredentials, everybody) << row.first;
    EXPECT_EQ(Knock(row.first, "graft_not-a-token") != kNoCredentials, everybody) << row.first;
    for (const auto& [role, token] : tokens) {
      const absl::StatusCode code = Knock(row.first, token);
      EXPECT_NE(code, kNoCredentials) << row.first << " as " << role;
      EXPECT_EQ(code != kDenied, everybody || absl::StrContains(row.second, role)) << row.first << " as " << role;
    }
    ++rows;
  }
  EXPECT_EQ(rows, static_cast<int>(access::Policy().size()));
}

TEST_F(AccessTest, WithoutCredentialsTheErrorSaysHow) {
  v1::ServerInfo info;
  EXPECT_THAT(CallAs("", &v1::SystemService::Stub::GetServerInfo, *system_, {}, &info),
              StatusIs(kNoCredentials, AllOf(HasSubstr("GRAFT_TOKEN"), HasSubstr("graft-server token create"))));
  auto context = Context();
  context->AddMetadata("authorization", "Basic dXNlcg==");
  EXPECT_THAT(FromGrpcStatus(system_->GetServerInfo(context.get(), {}, &info)),
              StatusIs(kNoCredentials, HasSubstr("Bearer TOKEN")));
}

TEST_F(AccessTest, ARevokedTokenEndsWithinFiveSeconds) {
  const std::string token = MakeToken({.name = "gone", .role = Role::kAdmin});
  ASSERT_OK(access::AccessStore(database_.get()).Revoke(access::Kind::kToken, "gone", "me"));
  EXPECT_TRUE(Eventually([&] { return !Known(token); }, absl::Seconds(5)));
}

TEST_F(AccessTest, BeyondItsPrefixesThereIsNothing) {
  PublishModel("team-a");
  PublishModel("secret");
  const std::string token = MakeToken({.name = "team", .role = Role::kAdmin, .prefixes = {"team-"}});
  v1::GetModelVersionRequest get;
  v1::ModelVersion version;
  get.set_name("team-a");
  EXPECT_OK(CallAs(token, &v1::ModelService::Stub::GetModelVersion, *models_, get, &version));
  std::vector<std::string> messages;
  for (const char* name : {"secret", "secret:1", "absent"}) {
    get.set_name(name);
    const absl::Status status = CallAs(token, &v1::ModelService::Stub::GetModelVersion, *models_, get, &version);
    EXPECT_THAT(status, StatusIs(kMissing)) << name;
    messages.push_back(absl::StrReplaceAll(status.message(), {{name, "NAME"}}));
  }
  EXPECT_EQ(messages[0], messages[2]) << "whether it exists does not show";
  EXPECT_THAT(Promote(token, "secret"), StatusIs(kMissing));
  EXPECT_OK(Promote(token, "team-a"));

  v1::ListModelsResponse models;
  ASSERT_OK(CallAs(token, &v1::ModelService::Stub::ListModels, *models_, {}, &models));
  ASSERT_EQ(models.models_size(), 1);
  EXPECT_EQ(models.models(0).latest().name(), "models/team-a/versions/1");

  v1::ClassifyRequest classify;
  classify.set_model("secret");
  classify.set_image("photo");
  v1::ClassifyResponse answer;
  EXPECT_THAT(CallAs(token, &v1::InferenceService::Stub::Classify, *inference_, classify, &answer), StatusIs(kMissing));
  classify.set_model("team-a");
  EXPECT_OK(CallAs(token, &v1::InferenceService::Stub::Classify, *inference_, classify, &answer));

  v1::CompareModelVersionsRequest compare;
  compare.add_names("team-a");
  compare.add_names("secret");
  v1::CompareModelVersionsResponse compared;
  EXPECT_THAT(CallAs(token, &v1::ModelService::Stub::CompareModelVersions, *models_, compare, &compared),
              StatusIs(kMissing));

  v1::ServerInfo info;
  ASSERT_OK(CallAs(token, &v1::SystemService::Stub::GetServerInfo, *system_, {}, &info));
  EXPECT_EQ(info.models(), 0);
  EXPECT_THAT(info.jobs_by_state(), IsEmpty());
}

TEST_F(AccessTest, WhatIsShownDoesNotNameTheRest) {
  PublishModel("team-a");  // trained on the data set "animals"
  PublishModel("secret");
  const std::string token = MakeToken({.name = "team", .role = Role::kAdmin, .prefixes = {"team-"}});
  v1::GetModelVersionRequest get;
  v1::ModelVersion version;
  get.set_name("team-b");
  const absl::Status missing = CallAs(token, &v1::ModelService::Stub::GetModelVersion, *models_, get, &version);
  EXPECT_THAT(missing, StatusIs(kMissing, Not(HasSubstr("secret")))) << "no hint at other names";
  get.set_name("team-a");
  ASSERT_OK(CallAs(token, &v1::ModelService::Stub::GetModelVersion, *models_, get, &version));
  EXPECT_EQ(version.name(), "models/team-a/versions/1");
  EXPECT_EQ(version.dataset_version(), "");
  const std::string admin = MakeToken({.name = "admin", .role = Role::kAdmin});
  ASSERT_OK(CallAs(admin, &v1::ModelService::Stub::GetModelVersion, *models_, get, &version));
  EXPECT_EQ(version.dataset_version(), "datasets/animals/versions/1");
}

TEST_F(AccessTest, StreamsEndWithTheirToken) {
  PublishModel("animals");
  const std::string token = MakeToken({.name = "brief", .role = Role::kPredictor});
  auto context = ContextOf(token);
  const auto stream = inference_->ClassifyStream(context.get());
  v1::ClassifyStreamRequest request;
  request.mutable_start()->set_model("animals");
  stream->Write(request);
  request.mutable_item()->set_image("photo");
  v1::ClassifyStreamResponse response;
  stream->Write(request);
  EXPECT_TRUE(stream->Read(&response));
  ASSERT_OK(access::AccessStore(database_.get()).Revoke(access::Kind::kToken, "brief", "me"));
  ASSERT_TRUE(Eventually([&] { return !Known(token); }));
  stream->Write(request);
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_THAT(FromGrpcStatus(stream->Finish()), StatusIs(kNoCredentials, HasSubstr("revoked")));
}

TEST_F(AccessTest, OpenInferenceFollowsTheSameRules) {
  PublishModel("team-a");
  PublishModel("secret");
  const std::string token = MakeToken({.name = "team", .role = Role::kPredictor, .prefixes = {"team-"}});
  using Stub = ::inference::GRPCInferenceService::Stub;
  Stub stub(channel_);
  ::inference::RepositoryIndexResponse index;
  ASSERT_OK(CallAs(token, &Stub::RepositoryIndex, stub, {}, &index));
  ASSERT_EQ(index.models_size(), 1);
  EXPECT_EQ(index.models(0).name(), "team-a");
  ::inference::ModelMetadataRequest metadata;
  ::inference::ModelMetadataResponse answer;
  metadata.set_name("secret");
  EXPECT_THAT(CallAs(token, &Stub::ModelMetadata, stub, metadata, &answer), StatusIs(kMissing));
  metadata.set_name("team-a");
  EXPECT_OK(CallAs(token, &Stub::ModelMetadata, stub, metadata, &answer));
  // A stream's messages are looked at one by one.
  auto context = ContextOf(token);
  const auto stream = stub.ModelStreamInfer(context.get());
  ::inference::ModelInferRequest request;
  request.set_model_name("secret");
  stream->Write(request);
  ::inference::ModelStreamInferResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_THAT(FromGrpcStatus(stream->Finish()), StatusIs(kMissing));
}

TEST_F(AccessTest, JobsBelongToTheirDataSetAndModel) {
  const std::string admin = MakeToken({.name = "admin", .role = Role::kAdmin});
  const std::string team = MakeToken({.name = "team", .role = Role::kTrainer, .prefixes = {"team-"}});
  PutWeights("mobilenet_v2");
  const auto upload = [&](const std::string& token, const std::string& dataset) {
    std::map<std::string, std::string> bytes_of;
    const std::vector<Photo> photos = TwoClasses(8);
    for (const Photo& photo : photos) bytes_of[Sha256Hex(photo.bytes)] = photo.bytes;
    Uploading uploading(*datasets_, ContextOf(token));
    uploading.Start(dataset);
    uploading.Announce(photos);
    for (const std::string& sha256 : uploading.Announced()) uploading.Blob(bytes_of[sha256]);
    uploading.Commit();
    return uploading.Finish();
  };
  EXPECT_OK(upload(admin, "secret"));
  EXPECT_OK(upload(team, "team-a"));
  EXPECT_THAT(upload(team, "secret"), StatusIs(kMissing));

  const auto submit = [&](const std::string& token, const std::string& dataset, const std::string& model) {
    v1::SubmitJobRequest request;
    request.mutable_spec()->set_dataset(dataset);
    request.mutable_spec()->set_backbone("mobilenet_v2");
    request.mutable_spec()->set_model(model);
    v1::Job job;
    const absl::Status status = CallAs(token, &v1::TrainingService::Stub::SubmitJob, *training_, request, &job);
    return status.ok() ? absl::StatusOr<v1::Job>(job) : status;
  };
  EXPECT_THAT(submit(team, "secret", "team-m"), StatusIs(kMissing));
  EXPECT_THAT(submit(team, "team-a", "secret"), StatusIs(kMissing));
  ASSERT_OK_AND_ASSIGN(const v1::Job own, submit(team, "team-a", "team-m"));
  ASSERT_OK_AND_ASSIGN(const v1::Job other, submit(admin, "secret", "secret"));

  // The default name of a model is made of the data set's, where '_' becomes '-'.
  const std::string under = MakeToken({.name = "under", .role = Role::kTrainer, .prefixes = {"team_"}});
  EXPECT_OK(upload(under, "team_x"));
  EXPECT_THAT(submit(under, "team_x", ""), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec.model")));

  v1::GetJobRequest get;
  v1::Job job;
  get.set_name(own.name());
  EXPECT_OK(CallAs(team, &v1::TrainingService::Stub::GetJob, *training_, get, &job));
  get.set_name(other.name());
  EXPECT_THAT(CallAs(team, &v1::TrainingService::Stub::GetJob, *training_, get, &job), StatusIs(kMissing));
  v1::CancelJobRequest cancel;
  cancel.set_name(other.name());
  EXPECT_THAT(CallAs(team, &v1::TrainingService::Stub::CancelJob, *training_, cancel, &job), StatusIs(kMissing));
  v1::WatchJobRequest watch;
  watch.set_name(other.name());
  auto context = ContextOf(team);
  v1::JobEvent event;
  const auto reader = training_->WatchJob(context.get(), watch);
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_THAT(FromGrpcStatus(reader->Finish()), StatusIs(kMissing));

  v1::ListJobsResponse jobs;
  ASSERT_OK(CallAs(team, &v1::TrainingService::Stub::ListJobs, *training_, {}, &jobs));
  ASSERT_EQ(jobs.jobs_size(), 1);
  EXPECT_EQ(jobs.jobs(0).name(), own.name());
  v1::ListDatasetsResponse sets;
  ASSERT_OK(CallAs(team, &v1::DatasetService::Stub::ListDatasets, *datasets_, {}, &sets));
  EXPECT_EQ(sets.datasets_size(), 1);
}

TEST_F(AccessTest, PagesOfListsAreFullWhateverLiesBetween) {
  for (const char* name : {"a1", "b1", "b2", "b3", "a2", "b4", "a3"}) PublishModel(name);
  const std::string token = MakeToken({.name = "team", .role = Role::kViewer, .prefixes = {"a"}});
  v1::ListModelsRequest request;
  request.set_page_size(2);
  v1::ListModelsResponse first, second;
  ASSERT_OK(CallAs(token, &v1::ModelService::Stub::ListModels, *models_, request, &first));
  ASSERT_EQ(first.models_size(), 2);
  request.set_page_token(first.next_page_token());
  ASSERT_OK(CallAs(token, &v1::ModelService::Stub::ListModels, *models_, request, &second));
  ASSERT_EQ(second.models_size(), 1);
  EXPECT_EQ(second.models(0).latest().name(), "models/a3/versions/1");
  EXPECT_EQ(second.next_page_token(), "");
}

TEST_F(AccessTest, EveryChangeAndEveryDenialIsInTheAuditLog) {
  PublishModel("team-a");
  const std::string trainer = MakeToken({.name = "trainer", .role = Role::kTrainer});
  const std::string viewer = MakeToken({.name = "viewer", .role = Role::kViewer});
  const std::string team = MakeToken({.name = "team", .role = Role::kTrainer, .prefixes = {"other-"}});
  const size_t before = Audit().size();
  auto context = ContextOf(trainer);
  context->AddMetadata("x-request-id", "my-request");
  v1::SetAliasRequest request;
  request.set_name("team-a");
  request.set_alias("production");
  v1::ModelVersion version;
  ASSERT_OK(FromGrpcStatus(models_->SetAlias(context.get(), request, &version)));
  EXPECT_THAT(Promote(team, "team-a"), StatusIs(kMissing));
  EXPECT_THAT(Promote(viewer, "team-a"), StatusIs(kDenied));
  EXPECT_THAT(Promote("", "team-a"), StatusIs(kNoCredentials));  // nobody's, so the server's log alone has it
  EXPECT_TRUE(Eventually([&] { return Audit().size() >= before + 3; }));
  const std::vector<access::AuditEntry> all = Audit();
  ASSERT_EQ(all.size(), before + 3);
  EXPECT_EQ(all[before].principal, "trainer");
  EXPECT_EQ(all[before].action, "graft.v1.ModelService/SetAlias");
  EXPECT_THAT(all[before].resources, ElementsAre("team-a"));
  EXPECT_EQ(all[before].decision, "allowed");
  EXPECT_EQ(all[before].request_id, "my-request");
  EXPECT_EQ(all[before + 1].principal, "team");
  EXPECT_THAT(all[before + 1].decision, HasSubstr("denied: "));
  EXPECT_EQ(all[before + 2].principal, "viewer");
  EXPECT_THAT(all[before + 2].decision, AllOf(HasSubstr("denied: "), HasSubstr("trainer or admin")));
  EXPECT_THAT(all[before + 2].resources, ElementsAre("team-a"));
}

TEST_F(AccessTest, StreamsOfAPrincipalAreCounted) {
  const std::string token = MakeToken({.name = "watcher", .role = Role::kAdmin});
  PublishModel("animals");
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>>> streams;
  for (int i = 0; i < 5; ++i) {
    contexts.push_back(ContextOf(token));
    streams.push_back(inference_->ClassifyStream(contexts.back().get()));
    v1::ClassifyStreamRequest start;
    start.mutable_start()->set_model("animals");
    streams.back()->Write(start);
    v1::ClassifyStreamRequest item;
    item.mutable_item()->set_image("photo");
    streams.back()->Write(item);
    v1::ClassifyStreamResponse answer;
    EXPECT_EQ(streams.back()->Read(&answer), i < 4) << i;
  }
  EXPECT_THAT(FromGrpcStatus(streams.back()->Finish()),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("4 streams open")));
  for (int i = 0; i < 4; ++i) {
    streams[static_cast<size_t>(i)]->WritesDone();
    EXPECT_OK(FromGrpcStatus(streams[static_cast<size_t>(i)]->Finish()));
  }
}

class RateTest : public AccessTest {
 protected:
  void SetUp() override {
    access_ = {.asks = true, .rates = {.calls_per_second = 0.01, .burst = 20, .max_streams = 4}};
    ServerTest::SetUp();
  }
};

TEST_F(RateTest, WhoCallsTooOftenIsToldWhenToComeBack) {
  const std::string busy = MakeToken({.name = "busy", .role = Role::kAdmin});
  const std::string other = MakeToken({.name = "other", .role = Role::kAdmin});
  v1::ServerInfo info;
  absl::Status status;
  int calls = 0;
  while (status.ok() && calls < 100) {
    status = CallAs(busy, &v1::SystemService::Stub::GetServerInfo, *system_, {}, &info);
    ++calls;
  }
  EXPECT_LE(calls, 21);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("busy")));
  const auto detail = DetailOf(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_GT(std::get<RetryDetail>(*detail).delay, absl::ZeroDuration());
  EXPECT_OK(CallAs(other, &v1::SystemService::Stub::GetServerInfo, *system_, {}, &info));
}

TEST_F(RateTest, DenialsCountToo) {
  PublishModel("animals");
  const std::string token = MakeToken({.name = "viewer", .role = Role::kViewer});
  const size_t before = Audit().size();
  int denied = 0;
  absl::Status status = Promote(token, "animals");
  for (; status.code() == kDenied && denied < 100; ++denied) status = Promote(token, "animals");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_LE(denied, 20);
  EXPECT_TRUE(Eventually([&] { return Audit().size() >= before + static_cast<size_t>(denied); }));
  EXPECT_EQ(Audit().size(), before + static_cast<size_t>(denied)) << "what is refused for its rate writes no row";
}

}  // namespace
}  // namespace graft::testing
