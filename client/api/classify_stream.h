// The client's side of InferenceService.ClassifyStream.
#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/api/cancellation.h"
#include "client/api/retry.h"
#include "graft/v1/inference.grpc.pb.h"

namespace graft::client {

// The images to classify, by index; their bytes on demand.
class ImageSource {
 public:
  virtual ~ImageSource() = default;

  virtual int64_t count() const = 0;

  // The encoded bytes of one image; an error is that image's alone. Asked in the order of the indices, one at a time,
  // and again from the first without an answer when a connection was lost.
  virtual absl::StatusOr<std::string> Read(int64_t index) = 0;
};

// Called from several threads, one at a time, in the order of the indices.
struct ClassifyObserver {
  // Each index at most once; `error` is set where the image could not be read or classified.
  std::function<void(int64_t index, const v1::ClassifyStreamResponse& answer)> on_answer;
  // Instead, after an error that concerns all images, for those without an answer. May be empty.
  std::function<void(int64_t index, const absl::Status& error)> on_unanswered;
  // The connection was lost with this error, or the server asks to wait; it goes on with what has no answer. May be
  // empty.
  std::function<void(const absl::Status& reason)> on_reconnecting;
};

struct ClassifyStreamOptions {
  RetryPolicy retry;
  absl::Duration reconnect_for = absl::Minutes(2);
};

// Sends the images as fast as the server takes them and reports every answer. One version answers them all: the one
// that the first connection found. In memory are at most one image and 1,024 answers that wait for an earlier one.
//
// Errors: the server's, for the whole stream; Unavailable when the server stayed away; Cancelled (what has no answer is
// not reported then).
absl::Status ClassifyStream(const std::shared_ptr<grpc::Channel>& channel, v1::ClassifyStreamRequest::Start start,
                            ImageSource& source, const ClassifyObserver& observer, const ClassifyStreamOptions& options,
                            Cancellation* cancellation);

}  // namespace graft::client
