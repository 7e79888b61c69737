#include "client/api/image_stream.h"

#include <thread>
#include <utility>

#include "core/base/thread_pool.h"
#include "proto/status_codec.h"

namespace graft::client {

ImageStream::ImageStream(v1::InferenceService::StubInterface& inference, ImageSource& source, OrderedAnswers& answers,
                         Cancellation* cancellation)
    : source_(source),
      answers_(answers),
      cancellation_scope_(cancellation, context_),
      stream_(inference.ClassifyStream(&context_)) {}

ImageStream::Outcome ImageStream::Run(const v1::ClassifyStreamRequest::Start& start) {
  answers_.StartWaiting();
  std::thread receiver = NamedThread("classify-recv", [this] { Receive(); });
  SendAll(start);
  receiver.join();
  return {.ended = stream_->Finish(), .answered_something = answered_something_};
}

void ImageStream::SendAll(const v1::ClassifyStreamRequest::Start& start) {
  v1::ClassifyStreamRequest request;
  *request.mutable_start() = start;
  if (!stream_->Write(request)) return;
  for (int64_t index = answers_.NextToSend(0); index >= 0; index = answers_.NextToSend(index + 1)) {
    if (index == source_.count()) {
      stream_->WritesDone();
      return;
    }
    if (!SendOne(index)) return;
  }
}

bool ImageStream::SendOne(int64_t index) {
  absl::StatusOr<std::string> image = source_.Read(index);
  if (!image.ok()) {
    v1::ClassifyStreamResponse answer;
    *answer.mutable_error() = ToRpcStatus(image.status());
    answers_.Take(index, std::move(answer));
    return true;
  }
  v1::ClassifyStreamRequest request;
  request.mutable_item()->set_id(index);
  *request.mutable_item()->mutable_image() = *std::move(image);
  return stream_->Write(request);
}

void ImageStream::Receive() {
  v1::ClassifyStreamResponse response;
  while (stream_->Read(&response)) {
    const int64_t index = response.id();
    answered_something_ |= answers_.Take(index, std::move(response));
    response.Clear();
  }
  answers_.StopWaiting();
}

}  // namespace graft::client
