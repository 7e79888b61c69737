// The limits that GetServerInfo shows, at their edges: n - 1 and n pass, n + 1 is refused and says why. docs/limits.md
// names the test of each.
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "core/base/digest.h"
#include "tests/server/services/server_test.h"
#include "tests/server/services/uploading.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

class LimitsTest : public ServerTest {
 protected:
  int64_t Limit(const std::string& name) {
    v1::ServerInfo info;
    EXPECT_OK(Call(&v1::SystemService::Stub::GetServerInfo, *system_, {}, &info));
    EXPECT_TRUE(info.limits().contains(name)) << name;
    return info.limits().contains(name) ? info.limits().at(name) : 1;
  }
  // `ask(value)` at the limit's edges.
  template <typename Ask>
  void ExpectEdge(const std::string& name, absl::StatusCode refusal, const std::string& reason, Ask ask) {
    const int64_t limit = Limit(name);
    EXPECT_OK(ask(limit - 1)) << name;
    EXPECT_OK(ask(limit)) << name;
    EXPECT_THAT(ask(limit + 1), StatusIs(refusal, HasSubstr(reason))) << name;
  }
  absl::Status ClassifyBatch(int images, int64_t bytes_together, int top_k = 1) {
    v1::ClassifyBatchRequest request;
    request.set_model("animals");
    request.set_top_k(top_k);
    for (int i = 0; i < images; ++i) {
      const int64_t bytes =
          i + 1 < images ? bytes_together / images : bytes_together - (images - 1) * (bytes_together / images);
      request.add_images(std::string(static_cast<size_t>(bytes), 'x'));
    }
    v1::ClassifyBatchResponse response;
    return Call(&v1::InferenceService::Stub::ClassifyBatch, *inference_, request, &response);
  }
  absl::Status Validate(const std::function<void(v1::TrainSpec&)>& change) {
    v1::SubmitJobRequest request;
    request.set_validate_only(true);
    request.mutable_spec()->set_dataset("animals");
    request.mutable_spec()->set_backbone("mobilenet_v2");
    change(*request.mutable_spec());
    v1::Job job;
    return Call(&v1::TrainingService::Stub::SubmitJob, *training_, request, &job);
  }
};

// Rows of docs/limits.md: | `name` | value | ... |
std::map<std::string, std::pair<int64_t, std::string>> DocumentedLimits() {
  std::ifstream file(GRAFT_SOURCE "/docs/limits.md");
  std::map<std::string, std::pair<int64_t, std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() < 6 || !absl::StartsWith(cells[1], " `")) continue;
    const std::string name(absl::StripAsciiWhitespace(absl::StrReplaceAll(cells[1], {{"`", ""}})));
    int64_t value = 0;
    EXPECT_TRUE(absl::SimpleAtoi(absl::StrReplaceAll(cells[2], {{",", ""}, {" ", ""}}), &value)) << line;
    rows[name] = {value, std::string(absl::StripAsciiWhitespace(cells[4]))};
  }
  return rows;
}

TEST_F(LimitsTest, TheDocumentHasThemAllAndATestOfEach) {
  v1::ServerInfo info;
  ASSERT_OK(Call(&v1::SystemService::Stub::GetServerInfo, *system_, {}, &info));
  const auto rows = DocumentedLimits();
  EXPECT_EQ(rows.size(), static_cast<size_t>(info.limits_size()));
  for (const auto& [name, value] : info.limits()) {
    const auto row = rows.find(name);
    ASSERT_NE(row, rows.end()) << name << " is not in docs/limits.md";
    EXPECT_EQ(row->second.first, value) << name;
    // "tests/FILE: TEST"
    const std::pair<std::string, std::string> test = absl::StrSplit(row->second.second, ": ");
    std::ifstream source(absl::StrCat(GRAFT_SOURCE "/", test.first));
    std::stringstream text;
    text << source.rdbuf();
    EXPECT_TRUE(!test.second.empty() && absl::StrContains(text.str(), test.second))
        << name << ": " << row->second.second;
  }
}

TEST_F(LimitsTest, Batches) {
  PublishModel("animals");
  ExpectEdge("max_batch_images", kInvalid, "images",
             [&](int64_t n) { return ClassifyBatch(static_cast<int>(n), 100); });
  ExpectEdge("max_batch_bytes", kInvalid, "60 MiB", [&](int64_t n) { return ClassifyBatch(7, n); });
  ExpectEdge("max_top_k", kInvalid, "top_k", [&](int64_t n) { return ClassifyBatch(1, 100, static_cast<int>(n)); });
}

TEST_F(LimitsTest, Messages) {
  PublishModel("animals");
  const int64_t limit = Limit("max_message_bytes");
  v1::ClassifyRequest request;
  request.set_model("animals");
  v1::ClassifyResponse response;
  const auto send = [&](int64_t bytes) {
    request.set_image(std::string());
    const auto rest = static_cast<int64_t>(request.ByteSizeLong());
    request.set_image(std::string(static_cast<size_t>(bytes - rest - 5), 'x'));  // its tag and length take five bytes
    EXPECT_EQ(static_cast<int64_t>(request.ByteSizeLong()), bytes);
    return Call(&v1::InferenceService::Stub::Classify, *inference_, request, &response);
  };
  // Those that arrive are refused for the image.
  EXPECT_THAT(send(limit - 1), StatusIs(kInvalid, HasSubstr("10 MiB")));
  EXPECT_THAT(send(limit), StatusIs(kInvalid, HasSubstr("10 MiB")));
  EXPECT_THAT(send(limit + 1), StatusIs(kExhausted, HasSubstr("larger than max")));
}

TEST_F(LimitsTest, Metadata) {
  const int64_t limit = Limit("max_metadata_bytes");
  const auto send = [&](int64_t bytes) {
    auto context = Context();
    context->AddMetadata("x-padding", std::string(static_cast<size_t>(bytes), 'x'));
    v1::ServerInfo info;
    return FromGrpcStatus(system_->GetServerInfo(context.get(), {}, &info));
  };
  EXPECT_OK(send(limit / 2));
  EXPECT_THAT(send(limit), ::testing::Not(IsOk())) << "with the call's own";
}

TEST_F(LimitsTest, Pages) {
  ExpectEdge("max_page_size", kInvalid, "page_size", [&](int64_t n) {
    v1::ListModelsRequest request;
    request.set_page_size(static_cast<int>(n));
    v1::ListModelsResponse response;
    return Call(&v1::ModelService::Stub::ListModels, *models_, request, &response);
  });
}

TEST_F(LimitsTest, UploadMessages) {
  ExpectEdge("max_upload_message_bytes", kInvalid, "1 MiB", [&](int64_t n) {
    const std::string blob(static_cast<size_t>(n) + 1, 'b');  // so that it is never whole
    Uploading uploading(*datasets_, Context());
    uploading.Start("animals");
    std::vector<Photo> photos = TwoClasses(2);
    photos.front().bytes = blob;
    uploading.Announce(photos);
    EXPECT_EQ(uploading.Announced().size(), photos.size());
    uploading.Chunk(Sha256Hex(blob), 0, blob.substr(1));
    uploading.HalfClose();
    const absl::Status ended = uploading.Finish();
    return absl::StrContains(ended.message(), "1 MiB") ? ended : absl::OkStatus();
  });
}

TEST_F(LimitsTest, Uploads) {
  const int64_t limit = Limit("max_uploads");
  std::vector<std::unique_ptr<Uploading>> open;
  for (int64_t i = 0; i < limit; ++i) {
    open.push_back(std::make_unique<Uploading>(*datasets_, Context()));
    open.back()->Start(absl::StrCat("set-", i));
    open.back()->Announce(TwoClasses(2));
    EXPECT_FALSE(open.back()->Announced().empty()) << i;
  }
  Uploading one_more(*datasets_, Context());
  one_more.Start("set-more");
  EXPECT_THAT(one_more.Finish(), StatusIs(kExhausted, HasSubstr("uploads are under way")));
}

TEST_F(LimitsTest, ClassifyStreams) {
  PublishModel("animals");
  const int64_t limit = Limit("max_classify_streams");
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>>> streams;
  for (int64_t i = 0; i <= limit; ++i) {
    contexts.push_back(Context());
    streams.push_back(inference_->ClassifyStream(contexts.back().get()));
    v1::ClassifyStreamRequest request;
    request.mutable_start()->set_model("animals");
    streams.back()->Write(request);
    request.mutable_item()->set_image("photo");
    streams.back()->Write(request);
    v1::ClassifyStreamResponse response;
    EXPECT_EQ(streams.back()->Read(&response), i < limit) << i;
  }
  EXPECT_THAT(FromGrpcStatus(streams.back()->Finish()), StatusIs(kExhausted, HasSubstr("streams are under way")));
  for (auto& context : contexts) context->TryCancel();
}

TEST_F(LimitsTest, JobWatches) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, SubmitJob());
  const int64_t limit = Limit("max_job_watches");
  // A connection has 64 streams, so each gets a part of them.
  std::vector<std::unique_ptr<v1::TrainingService::Stub>> stubs;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::JobEvent>>> watches;
  v1::WatchJobRequest request;
  request.set_name(job.name());
  for (int64_t i = 0; i <= limit; ++i) {
    if (i % 50 == 0) stubs.push_back(v1::TrainingService::NewStub(NewChannel()));
    contexts.push_back(Context());
    watches.push_back(stubs.back()->WatchJob(contexts.back().get(), request));
    v1::JobEvent event;
    EXPECT_EQ(watches.back()->Read(&event), i < limit) << i;
  }
  EXPECT_THAT(FromGrpcStatus(watches.back()->Finish()), StatusIs(kExhausted, HasSubstr("watches are under way")));
  for (auto& context : contexts) context->TryCancel();
}

TEST_F(LimitsTest, StreamsOfAConnection) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, SubmitJob());
  const int64_t limit = Limit("max_streams_per_connection");
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::JobEvent>>> watches;
  v1::WatchJobRequest request;
  request.set_name(job.name());
  v1::JobEvent event;
  for (int64_t i = 0; i < limit; ++i) {
    contexts.push_back(Context());
    watches.push_back(training_->WatchJob(contexts.back().get(), request));
    ASSERT_TRUE(watches.back()->Read(&event)) << i;
  }
  // One more waits in the client until another ends.
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  v1::ServerInfo info;
  EXPECT_THAT(FromGrpcStatus(system_->GetServerInfo(context.get(), {}, &info)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  contexts.front()->TryCancel();
  EXPECT_OK(Call(&v1::SystemService::Stub::GetServerInfo, *system_, {}, &info));
  for (auto& open : contexts) open->TryCancel();
}

TEST_F(LimitsTest, ComparedVersions) {
  PublishModel("animals");
  const auto compare = [&](int64_t n, bool latency) {
    v1::CompareModelVersionsRequest request;
    for (int64_t i = 0; i < n; ++i) request.add_names("animals");
    request.set_any_test_split(true);
    request.set_measure_latency(latency);
    v1::CompareModelVersionsResponse response;
    const absl::Status status = Call(&v1::ModelService::Stub::CompareModelVersions, *models_, request, &response);
    return absl::StrContains(status.message(), "must name 1 to") ? status : absl::OkStatus();
  };
  ExpectEdge("max_compared_versions", kInvalid, "names", [&](int64_t n) { return compare(n, false); });
}

TEST_F(LimitsTest, Jobs) {
  ASSERT_OK(SubmitJob());  // uploads what the specs name
  ExpectEdge("max_epochs", kInvalid, "spec.epochs",
             [&](int64_t n) { return Validate([n](v1::TrainSpec& spec) { spec.set_epochs(static_cast<int>(n)); }); });
  ExpectEdge("max_train_batch_size", kInvalid, "spec.batch_size", [&](int64_t n) {
    return Validate([n](v1::TrainSpec& spec) { spec.set_batch_size(static_cast<int>(n)); });
  });
  ExpectEdge("max_views", kInvalid, "spec.views", [&](int64_t n) {
    return Validate([n](v1::TrainSpec& spec) {
      spec.set_augment("light");
      spec.set_views(static_cast<int>(n));
    });
  });
  ExpectEdge("max_sweep_combinations", kInvalid, "combinations", [&](int64_t n) {
    return Validate([n](v1::TrainSpec& spec) {
      auto& swept = *spec.add_sweep();
      swept.set_field("learning_rate");
      for (int64_t i = 0; i < n; ++i) swept.add_values(1e-4 * static_cast<double>(i + 1));
    });
  });
  ExpectEdge("max_phases", kInvalid, "spec.phases", [&](int64_t n) {
    return Validate([n](v1::TrainSpec& spec) {
      for (int64_t i = 0; i < n; ++i) {
        auto& phase = *spec.add_phases();
        phase.set_trainable("all");
        phase.set_epochs(1);
      }
    });
  });
  const int64_t folds = Limit("max_folds");
  EXPECT_THAT(Validate([&](v1::TrainSpec& spec) {
                spec.set_folds(static_cast<int>(folds) + 1);
                spec.set_fold(1);
              }),
              StatusIs(kInvalid, HasSubstr(absl::StrCat("2 to ", folds))));
}

TEST_F(LimitsTest, UnaryCallsEnd) {
  PublishModel("animals");
  EXPECT_EQ(Limit("max_unary_seconds"), 60);
  auto context = std::make_unique<grpc::ClientContext>();  // without a deadline
  v1::ClassifyRequest request;
  request.set_model("animals");
  request.set_image("photo");
  v1::ClassifyResponse response;
  ASSERT_OK(FromGrpcStatus(inference_->Classify(context.get(), request, &response)));
  const absl::Duration left = classifier_->LastCall().deadline - absl::Now();
  EXPECT_LE(left, absl::Seconds(60));
  EXPECT_GT(left, absl::Seconds(50));
}

}  // namespace
}  // namespace graft::testing
