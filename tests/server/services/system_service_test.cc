#include <arpa/inet.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <netinet/in.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/metrics/server_metrics.h"
#include "server/rpc/call_record.h"
#include "tests/server/services/server_test.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using Stub = v1::SystemService::Stub;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// What `GET /metrics` answers, or "".
std::string Scrape(int port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string text;
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    send(descriptor, request.data(), request.size(), MSG_NOSIGNAL);
    char buffer[4096];
    while (const ssize_t got = recv(descriptor, buffer, sizeof(buffer), 0)) {
      if (got < 0) break;
      text.append(buffer, static_cast<size_t>(got));
    }
  }
  close(descriptor);
  return text;
}

class SystemServiceTest : public ServerTest {
 protected:
  v1::ServerInfo Info() {
    v1::ServerInfo info;
    EXPECT_OK(Call(&Stub::GetServerInfo, *system_, {}, &info));
    return info;
  }
  std::string Metrics() { return Scrape(server_->metrics_listening()->port); }

  // The health of one service by the standard protocol, whose messages are a string and an enum, by hand.
  std::string Health(const std::string& service) {
    grpc::GenericStub stub(channel_);
    const std::string request =
        service.empty() ? "" : absl::StrCat("\x0a", std::string(1, static_cast<char>(service.size())), service);
    const grpc::Slice slice(request);
    grpc::ByteBuffer sent(&slice, 1);
    grpc::ByteBuffer received;
    grpc::CompletionQueue queue;
    auto context = Context();
    auto call = stub.PrepareUnaryCall(context.get(), "/grpc.health.v1.Health/Check", sent, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&received, &status, this);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    if (!status.ok()) return absl::StrCat("error ", static_cast<int>(status.error_code()));
    grpc::Slice answer;
    if (!received.DumpToSingleSlice(&answer).ok() || answer.size() != 2) return "unreadable";
    return answer.begin()[1] == 1 ? "SERVING" : "NOT_SERVING";
  }
};

TEST_F(SystemServiceTest, DeviceShowsItsJobAndItsQueue) {
  EXPECT_EQ(Info().devices(0).running_job(), "");
  ASSERT_OK_AND_ASSIGN(const v1::Job running, SubmitJob("a"));
  ASSERT_OK(SubmitJob("b"));
  ASSERT_OK_AND_ASSIGN(const v1::Job paused, SubmitJob("c"));
  ASSERT_OK(job_store_->RequestPause(paused.name().substr(5)));
  ASSERT_OK_AND_ASSIGN(const auto claim, job_store_->ClaimNext("cpu", "test"));
  ASSERT_TRUE(claim.has_value());
  ASSERT_OK(job_store_->Append(claim->lease, {jobs::StateChanged{.state = jobs::State::kPreparing}}));
  const v1::DeviceInfo device = Info().devices(0);
  EXPECT_EQ(device.running_job(), running.name());
  EXPECT_EQ(device.queued_jobs(), 1);
  EXPECT_FALSE(device.has_predicted_idle_time());  // nothing was measured yet
}

TEST_F(SystemServiceTest, ServerSaysWhatItIsAndHas) {
  v1::ServerInfo info = Info();
  EXPECT_EQ(info.version(), "0.0-test");
  EXPECT_EQ(info.datasets(), 0);
  ASSERT_EQ(info.devices_size(), 1);
  EXPECT_EQ(info.devices(0).name(), "cpu");
  EXPECT_EQ(info.devices(0).worker_state(), "running");
  EXPECT_EQ(info.devices(0).cores(), 3);
  EXPECT_EQ(info.backbones_size(), 3);
  EXPECT_EQ(info.backbones(0).weights_sha256(), "");
  EXPECT_EQ(info.limits().at("max_batch_images"), 32);
  EXPECT_EQ(info.loaded_trunks(), 1);

  ASSERT_OK(SubmitJob());
  PublishModel("animals");
  PublishModel("animals");
  info = Info();
  EXPECT_EQ(info.datasets(), 1);
  EXPECT_EQ(info.models(), 1);
  EXPECT_EQ(info.model_versions(), 2);
  EXPECT_EQ(info.jobs_by_state().at("QUEUED"), 1);
  int with_weights = 0;
  for (const v1::BackboneInfo& backbone : info.backbones()) with_weights += backbone.weights_source() == "random:1";
  EXPECT_EQ(with_weights, 1);
}

TEST_F(SystemServiceTest, MetricsPortInUseNamesItsFlag) {
  ServerSettings settings;
  settings.listen = {"127.0.0.1", 0};
  settings.metrics_listen = server_->listening();
  EXPECT_THAT(Server::Start(Parts(), settings),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("--metrics-listen"), HasSubstr(settings.metrics_listen->ToString()))));
}

class MetricsTest : public SystemServiceTest {
 protected:
  MetricsTest() { with_metrics_ = true; }
};

TEST_F(MetricsTest, MetricsCountCallsByMethodAndCode) {
  Info();
  Info();
  v1::GetJobRequest request;
  request.set_name("nosuchjob");
  v1::Job job;
  Call(&v1::TrainingService::Stub::GetJob, *training_, request, &job).IgnoreError();
  ASSERT_OK(SubmitJob());
  const std::string text = Metrics();
  EXPECT_THAT(text,
              HasSubstr("graft_rpc_requests_total{code=\"OK\",method=\"graft.v1.SystemService/GetServerInfo\"} 2"));
  EXPECT_THAT(text,
              HasSubstr("graft_rpc_requests_total{code=\"NOT_FOUND\",method=\"graft.v1.TrainingService/GetJob\"} 1"));
  EXPECT_THAT(text, HasSubstr("graft_rpc_duration_seconds_bucket{method=\"graft.v1.SystemService/GetServerInfo\","
                              "le=\"10\"} 2"));
  EXPECT_THAT(text, HasSubstr("graft_rpc_active 0"));
  EXPECT_THAT(text, HasSubstr("graft_jobs{state=\"QUEUED\"} 1"));
  EXPECT_THAT(text, HasSubstr("process_resident_memory_bytes"));
  EXPECT_THAT(text, HasSubstr("process_open_fds"));
  EXPECT_THAT(text, HasSubstr("graft_datasets 1"));
  EXPECT_THAT(text, HasSubstr("graft_worker_running{device=\"cpu\"} 1"));
  EXPECT_THAT(text, Not(HasSubstr("graft_database_commit_seconds_count 0\n")));
}

TEST_F(MetricsTest, EndsOfJobsAndMovesOfAliasesAreCounted) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, SubmitJob());
  PublishModel("animals");
  PublishModel("animals");
  for (const int number : {1, 2}) {
    ASSERT_OK(registry_->SetAlias({.name = "animals", .number = number, .alias = {}}, "production"));
  }
  ASSERT_OK(registry_->RollBackAlias("animals", "production", std::nullopt));
  ASSERT_OK(job_store_->RequestCancel(job.name().substr(5)));
  const absl::Time limit = absl::Now() + absl::Seconds(30);  // the feed needs a moment
  std::string text = Metrics();
  while (!absl::StrContains(text, "graft_jobs_ended_total{state=\"CANCELLED\"} 1\n") && absl::Now() < limit) {
    absl::SleepFor(absl::Milliseconds(5));
    text = Metrics();
  }
  EXPECT_THAT(text, HasSubstr("graft_jobs_ended_total{state=\"CANCELLED\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("graft_jobs_ended_total{state=\"FAILED\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("graft_alias_moves_total{kind=\"promotion\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("graft_alias_moves_total{kind=\"rollback\"} 1\n"));
}

// Every RPC there is, answered in each of the ways that calls end in.
void CallAll(metrics::RpcMetrics& rpc) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  for (const char* service : {"graft.v1.DatasetService", "graft.v1.InferenceService", "graft.v1.ModelService",
                              "graft.v1.SystemService", "graft.v1.TrainingService", "inference.GRPCInferenceService"}) {
    const google::protobuf::ServiceDescriptor* found = pool->FindServiceByName(service);
    ASSERT_NE(found, nullptr) << service;
    for (int i = 0; i < found->method_count(); ++i) {
      for (const absl::StatusCode code :
           {absl::StatusCode::kOk, absl::StatusCode::kCancelled, absl::StatusCode::kInvalidArgument,
            absl::StatusCode::kNotFound, absl::StatusCode::kUnavailable, absl::StatusCode::kResourceExhausted}) {
        rpc.End(absl::StrCat(service, "/", found->method(i)->name()), code, absl::Milliseconds(3));
      }
    }
  }
}

TEST_F(SystemServiceTest, TenThousandModelsMakeFewerThanTwoThousandSeries) {
  std::set<std::string> names;
  for (int i = 0; i < 10'000; ++i) names.insert(absl::StrCat("model-", i));
  classifier_->SetLoaded(names);
  const ThreadPool pool("test", 1, 1);
  metrics::ServerMetrics metrics({.database = database_.get(),
                                  .datasets = dataset_store_.get(),
                                  .jobs = job_store_.get(),
                                  .feed = feed_.get(),
                                  .registry = registry_.get(),
                                  .classifier = classifier_.get(),
                                  .requests = &pool,
                                  .connections = [] { return metrics::Connections{}; },
                                  .data_dir = folder_.path()});
  for (const std::string& name : names) {
    inference::Classification result;
    result.model_version = VersionName("models", name, 1);
    metrics.classify().Answered(result);
  }
  CallAll(metrics.rpc());
  int series = 0;
  for (const auto& source : metrics.collectables()) {
    const std::string text = prometheus::TextSerializer().Serialize(source->Collect());
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      series += !line.empty() && !absl::StartsWith(line, "#");
    }
  }
  EXPECT_GT(series, 500);
  EXPECT_LT(series, 2000);
}

TEST_F(MetricsTest, MetricsHaveThePhasesOfClassify) {
  PublishModel("animals");
  v1::ClassifyRequest request;
  request.set_model("animals");
  request.set_image("photo");
  v1::ClassifyResponse response;
  ASSERT_OK(Call(&v1::InferenceService::Stub::Classify, *inference_, request, &response));
  request.set_image("broken");
  Call(&v1::InferenceService::Stub::Classify, *inference_, request, &response).IgnoreError();
  const std::string text = Metrics();
  EXPECT_THAT(text, HasSubstr("graft_classify_phase_seconds_count{phase=\"decode\"} 1"));
  EXPECT_THAT(text, HasSubstr("graft_classify_phase_seconds_sum{phase=\"forward\"} 0.005"));
  EXPECT_THAT(text, HasSubstr("graft_classify_images_total{code=\"OK\"} 1"));
  EXPECT_THAT(text, HasSubstr("graft_model_images_total{model=\"animals\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("graft_classify_images_total{code=\"INVALID_ARGUMENT\"} 1"));
}

TEST_F(SystemServiceTest, RequestIdIsEchoedOrMade) {
  v1::ServerInfo info;
  const auto id_for = [&](const std::string& sent) {
    auto context = Context();
    if (!sent.empty()) context->AddMetadata("x-request-id", sent);
    EXPECT_TRUE(system_->GetServerInfo(context.get(), {}, &info).ok());
    const auto& metadata = context->GetServerInitialMetadata();
    const auto found = metadata.find("x-request-id");
    return found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
  };
  EXPECT_EQ(id_for("my-id_1.2"), "my-id_1.2");
  EXPECT_EQ(id_for("").size(), 26U);
  EXPECT_NE(id_for("has spaces"), "has spaces");
  EXPECT_NE(id_for(""), id_for(""));
}

TEST_F(SystemServiceTest, TraceAndRequestIdComeBackInTrailersAndErrorDetails) {
  const std::string traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  auto context = Context();
  context->AddMetadata("x-request-id", "my-id");
  context->AddMetadata("traceparent", traceparent);
  v1::GetJobRequest request;
  request.set_name("nosuchjob");
  v1::Job job;
  const grpc::Status status = training_->GetJob(context.get(), request, &job);
  const auto& trailers = context->GetServerTrailingMetadata();
  const auto trailer = [&](const char* name) {
    const auto found = trailers.find(name);
    return found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
  };
  EXPECT_EQ(trailer("x-request-id"), "my-id");
  EXPECT_EQ(trailer("traceparent"), traceparent);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  google::rpc::RequestInfo info;
  ASSERT_TRUE(details.details(details.details_size() - 1).UnpackTo(&info));
  EXPECT_EQ(info.request_id(), "my-id");
  EXPECT_EQ(info.serving_data(), traceparent);
}

TEST(SaneRequestIdTest, TakesOnlyWhatIsSafeInALog) {
  EXPECT_EQ(rpc::SaneRequestId("aZ09.-_"), "aZ09.-_");
  EXPECT_EQ(rpc::SaneRequestId(std::string(64, 'x')), std::string(64, 'x'));
  for (const std::string& bad : {std::string(), std::string(65, 'x'), std::string("a\nb"), std::string("\"")}) {
    EXPECT_EQ(rpc::SaneRequestId(bad), std::nullopt) << bad;
  }
}

TEST_F(SystemServiceTest, HealthIsKnownPerService) {
  EXPECT_EQ(Health(""), "SERVING");
  for (const char* service : {"graft.v1.DatasetService", "graft.v1.TrainingService", "graft.v1.ModelService",
                              "graft.v1.InferenceService", "graft.v1.SystemService"}) {
    EXPECT_EQ(Health(service), "SERVING") << service;
  }
  EXPECT_EQ(Health("graft.v1.NoService"), "error 5");
}

TEST_F(SystemServiceTest, ReflectionIsServed) {
  grpc::GenericStub stub(channel_);
  auto context = Context();
  grpc::CompletionQueue queue;
  auto call = stub.PrepareCall(context.get(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(this);
  queue.Next(&tag, &ok);
  const grpc::Slice slice(std::string("\x3a\x00", 2));  // list_services = ""
  call->Write(grpc::ByteBuffer(&slice, 1), this);
  queue.Next(&tag, &ok);
  grpc::ByteBuffer received;
  call->Read(&received, this);
  queue.Next(&tag, &ok);
  ASSERT_TRUE(ok);
  grpc::Slice answer;
  ASSERT_TRUE(received.DumpToSingleSlice(&answer).ok());
  const std::string text(answer.begin(), answer.end());
  EXPECT_THAT(text, AllOf(HasSubstr("graft.v1.TrainingService"), HasSubstr("grpc.health.v1.Health")));
  context->TryCancel();
  grpc::Status status;
  call->Finish(&status, this);
  queue.Next(&tag, &ok);
}

TEST_F(MetricsTest, SecondServerOnTheSamePortFailsAndSaysWhy) {
  ServerSettings settings;
  settings.listen = server_->listening();
  EXPECT_THAT(Server::Start(Parts(), settings), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("--listen")));
  settings.listen = {"127.0.0.1", 0};
  settings.metrics_listen = server_->metrics_listening();
  EXPECT_THAT(Server::Start(Parts(), settings),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("--metrics-listen")));
}

TEST_F(SystemServiceTest, WhoeverCallsADrainingServerIsAnsweredOrMayTryAgain) {
  std::vector<std::thread> callers;
  std::atomic<int> answered = 0, refused = 0;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, stub = v1::SystemService::NewStub(NewChannel())] {
      while (refused < 100) {
        v1::ServerInfo info;
        const grpc::Status status = stub->GetServerInfo(Context().get(), {}, &info);
        EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE) << status.error_code();
        ++(status.ok() ? answered : refused);
      }
    });
  }
  while (answered < 100) absl::SleepFor(absl::Milliseconds(1));
  server_->Drain(absl::ZeroDuration(), absl::Seconds(10));
  for (std::thread& caller : callers) caller.join();
}

TEST_F(SystemServiceTest, DrainedServerIsGone) {
  Info();
  server_->Drain(absl::ZeroDuration(), absl::Seconds(30));
  v1::ServerInfo info;
  auto context = Context();
  EXPECT_EQ(system_->GetServerInfo(context.get(), {}, &info).error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace graft::testing
