#include "server/services/open_inference_stream.h"

#include <string>
#include <utility>

#include "server/rpc/gate.h"

namespace graft::services {

void InferStreamSession::OnMessage(::inference::ModelInferRequest request, Ticket ticket) {
  auto item = std::make_shared<Item>();
  item->request = std::move(request);
  item->ticket = std::move(ticket);
  {
    absl::MutexLock lock(&mutex_);
    items_.push_back(item);
  }
  if (!pool_->TryRun([self = shared_from_this(), item] { self->Infer(item); })) Finished(item, rpc::RequestQueueFull());
}

void InferStreamSession::OnAbandoned() {
  cancellation_->Cancel();
}

void InferStreamSession::Infer(const ItemPointer& item) {
  if (cancellation_->cancelled()) return Finished(item, absl::CancelledError("the caller has gone"));
  inference_->Infer({&item->request, item->response.mutable_infer_response(), deadline_, cancellation_},
                    [self = shared_from_this(), item](const absl::Status& status) { self->Finished(item, status); });
}

void InferStreamSession::Finished(const ItemPointer& item, const absl::Status& status) {
  // What is wrong inside the server belongs into its log, which has how streams end.
  if (absl::IsInternal(status)) item->ticket->EndStream(status);
  if (!status.ok()) {
    item->response.set_error_message(std::string(status.message()));
    item->response.mutable_infer_response()->set_model_name(item->request.model_name());
    item->response.mutable_infer_response()->set_model_version(item->request.model_version());
    item->response.mutable_infer_response()->set_id(item->request.id());
  }
  // What Triton says of a model that answers each request once.
  auto& parameters = *item->response.mutable_infer_response()->mutable_parameters();
  parameters["triton_final_response"].set_bool_param(true);
  {
    absl::MutexLock lock(&mutex_);
    item->finished = true;
    // Two threads that each send some would mix the order; the one that sends already looks again.
    if (std::exchange(answering_, true)) return;
  }
  while (const ItemPointer next = NextFinished()) next->ticket->Answer(std::move(next->response));
}

InferStreamSession::ItemPointer InferStreamSession::NextFinished() {
  absl::MutexLock lock(&mutex_);
  if (items_.empty() || !items_.front()->finished) {
    answering_ = false;
    return nullptr;
  }
  ItemPointer next = std::move(items_.front());
  items_.pop_front();
  return next;
}

}  // namespace graft::services
