#include "server/rpc/call_record.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "core/base/ids.h"
#include "proto/status_codec.h"
#include "server/logging/line_budget.h"

namespace graft::rpc {
namespace {

constexpr char kRequestIdHeader[] = "x-request-id";

absl::string_view Metadata(const grpc::CallbackServerContext& context, const char* name) {
  const auto found = context.client_metadata().find(name);
  if (found == context.client_metadata().end()) return "";
  return {found->second.data(), found->second.size()};
}

std::string RequestIdOf(const grpc::CallbackServerContext& context) {
  auto id = SaneRequestId(Metadata(context, kRequestIdHeader));
  return id ? *std::move(id) : NewId();
}

absl::Time DeadlineOf(const grpc::CallbackServerContext& context) {
  const auto deadline = context.deadline();
  return deadline == std::chrono::system_clock::time_point::max() ? absl::InfiniteFuture() : absl::FromChrono(deadline);
}

bool IsOurFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

// Refusals are as many as callers like. The metrics count them all; level debug writes them all. Who was kept out has a
// budget of its own, so that no overload hides it.
logging::LineBudget& RefusalLines(absl::StatusCode code) {
  static auto* const of_access = new logging::LineBudget(20);
  static auto* const of_others = new logging::LineBudget(20);
  const bool kept_out = code == absl::StatusCode::kUnauthenticated || code == absl::StatusCode::kPermissionDenied;
  return kept_out ? *of_access : *of_others;
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
      request_id_(RequestIdOf(*context)),
      trace_(logging::ParseTraceparent(Metadata(*context, logging::kTraceparentHeader))) {
  context->AddInitialMetadata(kRequestIdHeader, request_id_);
  context->AddTrailingMetadata(kRequestIdHeader, request_id_);
  if (trace_) context->AddTrailingMetadata(logging::kTraceparentHeader, trace_->traceparent);
  if (metrics_ != nullptr) metrics_->Begin();
}

logging::Fields CallRecord::LogFields() const {
  logging::Fields fields = {{"method", method_}, {"request_id", request_id_}};
  if (trace_) fields.emplace_back("trace_id", trace_->trace_id);
  if (caller_.principal) fields.emplace_back("principal", caller_.principal->name);
  return fields;
}

// A call that went well is worth a line to who looks closely.
void CallRecord::Log(const absl::Status& status, absl::Duration duration) const {
  const auto level =
      status.ok() ? spdlog::level::debug : (IsOurFault(status.code()) ? spdlog::level::err : spdlog::level::info);
  if (!spdlog::should_log(level)) return;
  int64_t left_out = 0;
  if (level == spdlog::level::info && !spdlog::should_log(spdlog::level::debug)) {
    const std::optional<int64_t> taken = RefusalLines(status.code()).Take(start_ + duration);
    if (!taken) return;
    left_out = *taken;
  }
  logging::Fields fields = LogFields();
  if (left_out > 0) fields.emplace_back("refusals_left_out", absl::StrCat(left_out));
  fields.emplace_back("code", absl::StatusCodeToString(status.code()));
  fields.emplace_back("duration_ms", absl::StrFormat("%.1f", absl::ToDoubleMilliseconds(duration)));
  if (!status.ok()) fields.emplace_back("error", status.message());
  logging::Log(level, "rpc", std::move(fields));
}

grpc::Status CallRecord::Close(const absl::Status& status) {
  const absl::Duration duration = absl::Now() - start_;
  if (metrics_ != nullptr) metrics_->End(method_, status.code(), duration);
  Log(status, duration);
  return ToGrpcStatus(status, request_id_, trace_ ? trace_->traceparent : "");
}

}  // namespace graft::rpc
