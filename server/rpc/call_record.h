// What every call has, whatever its shape: a request id, a place in its caller's trace, a deadline, one log line and
// one entry in the metrics.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/access/guard.h"
#include "server/logging/logging.h"
#include "server/logging/trace_context.h"
#include "server/metrics/rpc_metrics.h"

namespace graft::rpc {

// The caller's `x-request-id` if it is 1 to 64 of letters, digits, '.', '_' and '-'; those are safe in logs.
std::optional<std::string> SaneRequestId(absl::string_view text);

// One thread at a time (the call's).
class CallRecord {
 public:
  // Takes the request id from the metadata, or makes one, and sends it back as initial and trailing metadata; likewise
  // a W3C `traceparent`, but makes none.
  // `method` is "graft.v1.TrainingService/GetJob". `metrics` may be null.
  CallRecord(grpc::CallbackServerContext* context, std::string method, metrics::RpcMetrics* metrics);

  const std::string& request_id() const { return request_id_; }
  const std::string& method() const { return method_; }
  absl::Time start() const { return start_; }
  absl::Time deadline() const { return deadline_; }  // InfiniteFuture when the caller set none
  // Who calls, once the gate has admitted them; Nobody() before.
  const access::Principal& principal() const { return caller_.principal ? *caller_.principal : access::Nobody(); }
  const access::Caller& caller() const { return caller_; }
  void SetCaller(access::Caller caller) { caller_ = std::move(caller); }
  // What log lines about the call have.
  logging::Fields LogFields() const;

  // Records the end of the call, once; returns what to Finish with.
  grpc::Status Close(const absl::Status& status);

 private:
  void Log(const absl::Status& status, absl::Duration duration) const;

  const std::string method_;
  metrics::RpcMetrics* const metrics_;
  const absl::Time start_ = absl::Now();
  const absl::Time deadline_;
  const std::string request_id_;
  const std::optional<logging::TraceContext> trace_;
  access::Caller caller_ = {};
};

}  // namespace graft::rpc
