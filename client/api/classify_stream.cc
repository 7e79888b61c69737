#include "client/api/classify_stream.h"

#include <utility>

#include "client/api/image_stream.h"
#include "client/api/ordered_answers.h"
#include "client/api/reconnect.h"
#include "proto/status_codec.h"

namespace graft::client {
namespace {

absl::Status AnswerAll(const std::shared_ptr<grpc::Channel>& channel, v1::ClassifyStreamRequest::Start start,
                       ImageSource& source, OrderedAnswers& answers, const ClassifyObserver& observer,
                       const ClassifyStreamOptions& options, Cancellation* cancellation) {
  const auto inference = v1::InferenceService::NewStub(channel);
  Reconnect reconnect(*channel, options.retry, options.reconnect_for);
  absl::Status cancelled = absl::CancelledError("the classification was stopped");
  while (!answers.complete()) {
    const auto [ended, answered_something] = ImageStream(*inference, source, answers, cancellation).Run(start);
    if (answers.complete()) break;  // however the connection ended after that
    if (cancellation != nullptr && cancellation->IsCancelled()) return cancelled;
    if (ended.ok()) return absl::InternalError("the server ended the stream without answering every image");
    if (answered_something) reconnect.SawProgress();
    absl::Status status = FromGrpcStatus(ended);
    const absl::Duration requested = RequestedDelay(status);
    if (requested > absl::ZeroDuration()) reconnect.SawServer();
    const bool may_pass = IsBrokenConnection(ended) || requested > absl::ZeroDuration();
    if (!may_pass || !reconnect.ShouldTryAgain()) return status;
    if (observer.on_reconnecting) observer.on_reconnecting(status);
    if (!reconnect.Wait(cancellation, requested)) return cancelled;
    // An alias that moves meanwhile does not mix versions.
    if (const std::string version = answers.model_version(); !version.empty()) start.set_model(version);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ClassifyStream(const std::shared_ptr<grpc::Channel>& channel, v1::ClassifyStreamRequest::Start start,
                            ImageSource& source, const ClassifyObserver& observer, const ClassifyStreamOptions& options,
                            Cancellation* cancellation) {
  OrderedAnswers answers(source.count(), observer);
  absl::Status status = AnswerAll(channel, std::move(start), source, answers, observer, options, cancellation);
  answers.Close(status);
  return status;
}

}  // namespace graft::client
