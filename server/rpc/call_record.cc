#include "server/rpc/call_record.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "core/base/ids.h"
#include "proto/status_codec.h"

namespace graft::rpc {
namespace {

constexpr char kRequestIdHeader[] = "x-request-id";

std::string RequestIdOf(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  if (const auto found = metadata.find(kRequestIdHeader); found != metadata.end()) {
    if (auto id = SaneRequestId({found->second.data(), found->second.size()})) return *std::move(id);
  }
  return NewId();
}

absl::Time DeadlineOf(const grpc::CallbackServerContext& context) {
  const auto deadline = context.deadline();
  return deadline == std::chrono::system_clock::time_point::max() ? absl::InfiniteFuture() : absl::FromChrono(deadline);
}

bool IsOurFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

}  // namespace

std::optional<std::string> SaneRequestId(absl::string_view text) {
  const auto sane = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  if (text.empty() || text.size() > 64 || !std::all_of(text.begin(), text.end(), sane)) return std::nullopt;
  return std::string(text);
}

CallRecord::CallRecord(grpc::CallbackServerContext* context, std::string method, metrics::RpcMetrics* metrics)
    : method_(std::move(method)),
      metrics_(metrics),
      deadline_(DeadlineOf(*context)),
      request_id_(RequestIdOf(*context)) {
  context->AddInitialMetadata(kRequestIdHeader, request_id_);
  if (metrics_ != nullptr) metrics_->Begin();
}

grpc::Status CallRecord::Close(const absl::Status& status) {
  const absl::Duration duration = absl::Now() - start_;
  if (metrics_ != nullptr) metrics_->End(method_, status.code(), duration);
  if (!status.ok()) {
    spdlog::log(IsOurFault(status.code()) ? spdlog::level::err : spdlog::level::info,
                "rpc method={} code={} request_id={} duration_ms={:.1f} error=\"{}\"", method_,
                absl::StatusCodeToString(status.code()), request_id_, absl::ToDoubleMilliseconds(duration),
                std::string(status.message()));
  }
  return ToGrpcStatus(status, request_id_);
}

}  // namespace graft::rpc
