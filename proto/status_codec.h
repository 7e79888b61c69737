// absl::Status <-> grpc::Status, details included. grpc::Status is made here and nowhere else.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace graft {

// Code, message, and the detail of core/base/errors.h as google.rpc details in `grpc-status-details-bin`, with the
// request id as RequestInfo, whose serving_data is the call's W3C traceparent if it has one. The message of an Internal
// error stays in the log: clients get the request id.
grpc::Status ToGrpcStatus(const absl::Status& status, const std::string& request_id,
                          const std::string& traceparent = "");

// The same as a message, for per-item errors.
google::rpc::Status ToRpcStatus(const absl::Status& status);

// Back, details included, for clients.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace graft
