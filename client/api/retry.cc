#include "client/api/retry.h"

#include <algorithm>
#include <variant>

#include "absl/time/clock.h"
#include "core/base/errors.h"

namespace graft::client {

absl::Duration Backoff::Next() {
  const absl::Duration delay = next_ * absl::Uniform(random_, 0.5, 1.0);
  next_ = std::min(2 * next_, policy_.max_delay);
  return delay;
}

bool IsBrokenConnection(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return true;
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::CANCELLED:
      return status.error_details().empty();
    default:
      return false;
  }
}

void SleepWhileConnecting(grpc::Channel& channel, absl::Duration delay) {
  const absl::Time end = absl::Now() + delay;
  channel.WaitForConnected(absl::ToChronoTime(end));
  absl::SleepFor(end - absl::Now());
}

absl::Duration RequestedDelay(const absl::Status& status) {
  const auto detail = DetailOf(status);
  const auto* retry = detail ? std::get_if<RetryDetail>(&*detail) : nullptr;
  return retry == nullptr ? absl::ZeroDuration() : retry->delay;
}

}  // namespace graft::client
