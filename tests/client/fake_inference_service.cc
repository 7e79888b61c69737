#include "tests/client/fake_inference_service.h"

#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "proto/status_codec.h"
#include "tests/client/fake_request_id.h"

namespace graft::testing {
namespace {

constexpr char kVersion[] = "models/animals/versions/3";

bool KnowsModel(const std::string& model) {
  return model == "animals" || model == kVersion;
}

template <typename Response>
void PredictCat(Response& response) {
  response.set_model_version(kVersion);
  auto* cat = response.add_predictions();
  cat->set_label("cat");
  cat->set_probability(0.75);
  auto* dog = response.add_predictions();
  dog->set_label("dog");
  dog->set_probability(0);
  dog->set_index(1);
}

v1::ClassifyStreamResponse AnswerTo(const v1::ClassifyStreamRequest::Item& item) {
  v1::ClassifyStreamResponse response;
  if (item.image() == "broken") {
    *response.mutable_error() = ToRpcStatus(InvalidField("image", "is not a picture"));
    response.set_model_version(kVersion);
  } else {
    PredictCat(response);
  }
  response.set_id(item.id());
  return response;
}

template <typename Item>
Item TakeFirst(std::vector<Item>& items, Item otherwise) {
  if (items.empty()) return otherwise;
  Item first = items.front();
  items.erase(items.begin());
  return first;
}

}  // namespace

void FakeInferenceService::BreakStreamsAfterAnswers(std::vector<int> answers) {
  absl::MutexLock lock(&mutex_);
  break_after_ = std::move(answers);
}

void FakeInferenceService::FailStreams(std::vector<absl::Status> failures) {
  absl::MutexLock lock(&mutex_);
  failures_ = std::move(failures);
}

void FakeInferenceService::AnswerBackwards(int group) {
  absl::MutexLock lock(&mutex_);
  group_ = group;
}

void FakeInferenceService::AnswerFirstAfter(int others) {
  absl::MutexLock lock(&mutex_);
  first_after_ = others;
}

void FakeInferenceService::EndStreamsAfterAnswers(int answers) {
  absl::MutexLock lock(&mutex_);
  end_after_ = answers;
}

void FakeInferenceService::HoldAfterItems(int items, std::function<void()> then) {
  absl::MutexLock lock(&mutex_);
  hold_after_ = items;
  then_ = std::move(then);
}

std::vector<v1::ClassifyStreamRequest::Start> FakeInferenceService::starts() const {
  absl::MutexLock lock(&mutex_);
  return starts_;
}

std::vector<int64_t> FakeInferenceService::items() const {
  absl::MutexLock lock(&mutex_);
  return items_;
}

grpc::Status FakeInferenceService::Classify(grpc::ServerContext*, const v1::ClassifyRequest* request,
                                            v1::ClassifyResponse* response) {
  if (!KnowsModel(request->model())) return ToGrpcStatus(ResourceNotFound("model", request->model()), kRequestId);
  if (request->image() == "broken") return ToGrpcStatus(InvalidField("image", "is not a picture"), kRequestId);
  PredictCat(*response);
  return grpc::Status::OK;
}

void FakeInferenceService::Note(int64_t item) {
  absl::MutexLock lock(&mutex_);
  items_.push_back(item);
}

FakeInferenceService::StreamPlan FakeInferenceService::Plan(const v1::ClassifyStreamRequest::Start& start) {
  absl::MutexLock lock(&mutex_);
  starts_.push_back(start);
  return {.failure = TakeFirst(failures_, absl::OkStatus()),
          .break_after = TakeFirst(break_after_, -1),
          .end_after = end_after_,
          .group = group_,
          .first_after = first_after_,
          .hold_after = hold_after_,
          .then = then_};
}

grpc::Status FakeInferenceService::ClassifyStream(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<v1::ClassifyStreamResponse, v1::ClassifyStreamRequest>* stream) {
  v1::ClassifyStreamRequest request;
  if (!stream->Read(&request) || !request.has_start()) return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "start");
  const std::string model = request.start().model();
  const StreamPlan plan = Plan(request.start());
  if (!plan.failure.ok()) return ToGrpcStatus(plan.failure, kRequestId);
  if (!KnowsModel(model)) return ToGrpcStatus(ResourceNotFound("model", model), kRequestId);

  int answered = 0;
  std::vector<v1::ClassifyStreamResponse> group;
  std::optional<v1::ClassifyStreamResponse> first;
  // Answers the group, the last first; how the stream ends, if it does.
  const auto answer_group = [&]() -> std::optional<grpc::Status> {
    for (; !group.empty(); group.pop_back()) {
      if (answered == plan.break_after) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
      if (answered == plan.end_after) return grpc::Status::OK;
      stream->Write(group.back());
      ++answered;
    }
    return std::nullopt;
  };
  for (int received = 1; stream->Read(&request); ++received) {
    Note(request.item().id());
    if (received == plan.hold_after) {
      plan.then();
      while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
      return grpc::Status::CANCELLED;
    }
    if (plan.first_after > 0 && answered == 0 && !first) {
      first = AnswerTo(request.item());
      continue;
    }
    group.push_back(AnswerTo(request.item()));
    if (static_cast<int>(group.size()) < plan.group) continue;
    if (auto end = answer_group()) return *end;
    if (first && answered >= plan.first_after) {
      stream->Write(*first);
      first.reset();
    }
  }
  if (first) group.push_back(*first);
  return answer_group().value_or(grpc::Status::OK);
}

}  // namespace graft::testing
