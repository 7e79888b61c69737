#include "tests/bench/load/recorder.h"

#include "tests/bench/load/distribution.h"

namespace graft::bench {
namespace {

float Milliseconds(Clock::duration duration) {
  return std::chrono::duration<float, std::milli>(duration).count();
}

}  // namespace

std::string CodeName(grpc::StatusCode code) {
  static const char* const kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  return code >= 0 && code < static_cast<int>(std::size(kNames)) ? kNames[code] : std::to_string(code);
}

void Recorder::Add(const std::string& kind, Clock::time_point intended, const Call& call, const std::string& outcome,
                   bool expected) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (call.status.ok() && InWindow(call.done_at)) ++succeeded_in_window_;
  if (!expected) {  // in the warm-up too
    Unexpected& unexpected = unexpected_[{kind, outcome}];
    ++unexpected.count;
    if (unexpected.message.empty()) unexpected.message = call.status.error_message();
  }
  if (!InWindow(intended)) return;
  ++started_in_window_;
  latencies_[{kind, outcome}].push_back(Milliseconds(call.done_at - intended));
}

void Recorder::AddStartDelay(Clock::time_point intended, Clock::time_point started) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (InWindow(intended)) start_delays_.push_back(Milliseconds(started - intended));
}

nlohmann::json Recorder::ToJson() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const double seconds = std::chrono::duration<double>(end_ - begin_).count();
  nlohmann::json result = {{"seconds", seconds},
                           {"offered_per_second", static_cast<double>(started_in_window_) / seconds},
                           {"throughput", static_cast<double>(succeeded_in_window_) / seconds},
                           {"kinds", nlohmann::json::object()},
                           {"unexpected", nlohmann::json::array()}};
  for (const auto& [key, latencies] : latencies_) result["kinds"][key.first][key.second] = Distribution(latencies);
  for (const auto& [key, unexpected] : unexpected_) {
    result["unexpected"].push_back(
        {{"kind", key.first}, {"outcome", key.second}, {"count", unexpected.count}, {"message", unexpected.message}});
  }
  if (!start_delays_.empty()) result["start_delay"] = Distribution(start_delays_);
  return result;
}

}  // namespace graft::bench
