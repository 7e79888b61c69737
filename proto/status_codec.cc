#include "proto/status_codec.h"

#include <string>

#include "absl/time/time.h"
#include "core/base/errors.h"
#include "google/rpc/error_details.pb.h"

namespace graft {
namespace {

struct DetailPacker {
  google::rpc::Status& out;

  void operator()(const FieldDetail& detail) const {
    google::rpc::BadRequest message;
    auto* violation = message.add_field_violations();
    violation->set_field(detail.field);
    violation->set_description(detail.reason);
    out.add_details()->PackFrom(message);
  }
  void operator()(const ResourceDetail& detail) const {
    google::rpc::ResourceInfo message;
    message.set_resource_type(detail.type);
    message.set_resource_name(detail.name);
    out.add_details()->PackFrom(message);
  }
  void operator()(const PreconditionDetail& detail) const {
    google::rpc::PreconditionFailure message;
    auto* violation = message.add_violations();
    violation->set_type("STATE");
    violation->set_subject(detail.subject);
    violation->set_description(detail.reason);
    out.add_details()->PackFrom(message);
  }
  void operator()(const RetryDetail& detail) const {
    google::rpc::RetryInfo message;
    const int64_t milliseconds = absl::ToInt64Milliseconds(detail.delay);
    message.mutable_retry_delay()->set_seconds(milliseconds / 1000);
    message.mutable_retry_delay()->set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1000000);
    out.add_details()->PackFrom(message);
  }
};

// The makers of core/base/errors.h write "field: reason" themselves, so only the detail is rebuilt here.
absl::Status WithPackedDetail(absl::Status status, const google::protobuf::Any& any) {
  google::rpc::BadRequest bad_request;
  google::rpc::ResourceInfo resource;
  google::rpc::PreconditionFailure precondition;
  google::rpc::RetryInfo retry;
  absl::Status source;
  if (any.UnpackTo(&bad_request) && bad_request.field_violations_size() > 0) {
    source = InvalidField(bad_request.field_violations(0).field(), bad_request.field_violations(0).description());
  } else if (any.UnpackTo(&resource)) {
    source = ResourceNotFound(resource.resource_type(), resource.resource_name());
  } else if (any.UnpackTo(&precondition) && precondition.violations_size() > 0) {
    source = PreconditionFailed(precondition.violations(0).subject(), precondition.violations(0).description());
  } else if (any.UnpackTo(&retry)) {
    source = RetryLater(status.code(), "",
                        absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos()));
  }
  source.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { status.SetPayload(url, payload); });
  return status;
}

}  // namespace

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status result;
  result.set_code(static_cast<int>(status.code()));
  result.set_message(std::string(status.message()));
  if (auto detail = DetailOf(status)) std::visit(DetailPacker{result}, *detail);
  return result;
}

grpc::Status ToGrpcStatus(const absl::Status& status, const std::string& request_id, const std::string& traceparent) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details = ToRpcStatus(status);
  if (status.code() == absl::StatusCode::kInternal || status.code() == absl::StatusCode::kUnknown) {
    details.set_message("internal error; the server's log has it under request id " + request_id);
  }
  google::rpc::RequestInfo request_info;
  request_info.set_request_id(request_id);
  request_info.set_serving_data(traceparent);
  details.add_details()->PackFrom(request_info);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), details.message(), details.SerializeAsString());
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (details.ParseFromString(status.error_details())) {
    for (const auto& any : details.details()) result = WithPackedDetail(std::move(result), any);
  }
  return result;
}

}  // namespace graft
