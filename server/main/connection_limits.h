// How long a connection may do nothing, and live.
#pragma once

#include "absl/time/time.h"

namespace graft {

struct ConnectionLimits {
  absl::Duration handshake = absl::Seconds(10);  // from connecting to HTTP/2's first settings, TLS in between
  absl::Duration idle = absl::Minutes(15);
  absl::Duration age = absl::Minutes(60);       // then the client connects again
  absl::Duration age_grace = absl::Minutes(5);  // for the calls under way
};

}  // namespace graft
