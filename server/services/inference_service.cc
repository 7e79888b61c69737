#include "server/services/inference_service.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "proto/status_codec.h"
#include "server/rpc/window_stream.h"
#include "server/services/batch_classification.h"
#include "server/services/convert.h"

namespace graft::services {
namespace {

absl::Status CheckBatch(const v1::ClassifyBatchRequest& request) {
  RETURN_IF_ERROR(CheckTopK("top_k", request.top_k()));
  if (request.images().empty() || request.images_size() > kMaxBatchImages) {
    return InvalidField("images", absl::StrCat("must be 1 to ", kMaxBatchImages, ", not ", request.images_size()));
  }
  int64_t bytes = 0;
  for (const std::string& image : request.images()) bytes += static_cast<int64_t>(image.size());
  if (bytes > kMaxBatchBytes) return InvalidField("images", "together must be at most 60 MiB; send smaller batches");
  return absl::OkStatus();
}

bool IsTheImagesOwn(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument || status.code() == absl::StatusCode::kResourceExhausted;
}

// InvalidArgument and ResourceExhausted are an image's own and stand in its result; another error (the model's, the
// server's, the caller's time) is the call's.
absl::Status FillBatch(const Classifications& results, v1::ClassifyBatchResponse& response) {
  for (const auto& result : results) {
    v1::ClassifyBatchResponse::Result& out = *response.add_results();
    if (result.ok()) {
      out.mutable_predictions()->Swap(ToProto(*result).mutable_predictions());
    } else if (IsTheImagesOwn(result.status())) {
      *out.mutable_error() = ToRpcStatus(result.status());
    } else {
      return result.status();
    }
  }
  return absl::OkStatus();
}

}  // namespace

void InferenceService::StartOne(const v1::ClassifyRequest& request, v1::ClassifyResponse* response, rpc::Call call) {
  if (absl::Status checked = CheckTopK("top_k", request.top_k()); !checked.ok()) return call->Finish(checked);
  if (request.model().empty()) return call->Finish(InvalidField("model", "is required, for example animals:3"));
  inference::ClassifyCall one{.model = request.model(),
                              .image = request.image(),
                              .top_k = request.top_k(),
                              .deadline = call->deadline(),
                              .cancellation = call->cancellation()};
  classifier_->Classify(std::move(one), [this, call, response](absl::StatusOr<inference::Classification> result) {
    Record(metrics_, result);
    if (result.ok()) *response = ToProto(*result);
    call->Finish(result.status());
  });
}

absl::Status InferenceService::StartBatch(const v1::ClassifyBatchRequest& request, v1::ClassifyBatchResponse* response,
                                          const rpc::Call& call) {
  RETURN_IF_ERROR(CheckBatch(request));
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("model", "models", request.model()));
  ASSIGN_OR_RETURN(const int number, registry_->ResolveNumber(reference));
  // Pinned: an alias that moves meanwhile does not mix versions.
  response->set_model_version(VersionName("models", reference.name, number));
  std::vector<inference::ClassifyCall> calls;
  for (const std::string& image : request.images()) {
    calls.push_back({.model = response->model_version(),
                     .image = image,
                     .top_k = request.top_k(),
                     .deadline = call->deadline(),
                     .cancellation = call->cancellation()});
  }
  ClassifyAll(classifier_, metrics_, std::move(calls),
              [call, response, start = absl::Now()](const Classifications& results) {
                inference::PhaseTimes times = LongestPhases(results);
                times.total = absl::Now() - start;
                *response->mutable_times() = ToProto(times);
                call->Finish(FillBatch(results, *response));
              });
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* InferenceService::Classify(grpc::CallbackServerContext* context,
                                                     const v1::ClassifyRequest* request,
                                                     v1::ClassifyResponse* response) {
  return rpc::AsyncUnary(gate_, context, request, "graft.v1.InferenceService/Classify",
                         [this, request, response](rpc::Call call) { StartOne(*request, response, std::move(call)); });
}

grpc::ServerUnaryReactor* InferenceService::ClassifyBatch(grpc::CallbackServerContext* context,
                                                          const v1::ClassifyBatchRequest* request,
                                                          v1::ClassifyBatchResponse* response) {
  return rpc::AsyncUnaryOnPool(gate_, context, request, "graft.v1.InferenceService/ClassifyBatch",
                               [this, request, response](const rpc::Call& call) {
                                 if (absl::Status started = StartBatch(*request, response, call); !started.ok()) {
                                   call->Finish(started);
                                 }
                               });
}

grpc::ServerBidiReactor<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>* InferenceService::ClassifyStream(
    grpc::CallbackServerContext* context) {
  using Stream = rpc::WindowStream<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>;
  return Stream::Start(gate_, context, "graft.v1.InferenceService/ClassifyStream", kClassifyWindow,
                       [this](absl::Time deadline) -> absl::StatusOr<std::shared_ptr<Stream::Session>> {
                         ASSIGN_OR_RETURN(std::shared_ptr<void> slot, stream_slots_->Take("streams", absl::Seconds(1)));
                         return std::make_shared<ClassifyStreamSession>(classifier_, registry_, metrics_, deadline,
                                                                        stream_slots_, std::move(slot));
                       });
}

}  // namespace graft::services
