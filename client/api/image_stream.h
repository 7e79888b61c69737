// One connection of a ClassifyStream.
#pragma once

#include <grpcpp/client_context.h>

#include <memory>

#include "client/api/classify_stream.h"
#include "client/api/ordered_answers.h"

namespace graft::client {

// Sends what has no answer yet, on the calling thread; a second one receives, because a sender that does not listen
// would stop the server. Used once, by one thread.
class ImageStream {
 public:
  struct Outcome {
    grpc::Status ended;
    bool answered_something = false;
  };

  ImageStream(v1::InferenceService::StubInterface& inference, ImageSource& source, OrderedAnswers& answers,
              Cancellation* cancellation);

  Outcome Run(const v1::ClassifyStreamRequest::Start& start);

 private:
  void SendAll(const v1::ClassifyStreamRequest::Start& start);
  // False when the stream has broken.
  bool SendOne(int64_t index);
  void Receive();

  bool answered_something_ = false;  // the receiving thread's
  ImageSource& source_;
  OrderedAnswers& answers_;
  grpc::ClientContext context_;
  const Cancellation::Scope cancellation_scope_;
  const std::unique_ptr<grpc::ClientReaderWriterInterface<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>>
      stream_;
};

}  // namespace graft::client
