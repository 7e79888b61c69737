// How many connections there may be, how long one may do nothing, and live.
#pragma once

#include "absl/time/time.h"

namespace graft {

struct ConnectionLimits {
  int most = 1024;                               // further ones are closed at once
  absl::Duration handshake = absl::Seconds(10);  // from connecting to HTTP/2's first settings, TLS in between
  absl::Duration idle = absl::Minutes(15);
  absl::Duration age = absl::Minutes(60);       // then the client connects again
  absl::Duration age_grace = absl::Minutes(5);  // for the calls under way
  // A client with calls under way from which nothing comes for so long is asked (an HTTP/2 ping), and let go if it does
  // not answer.
  absl::Duration keepalive = absl::Minutes(2);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  // A client that asks more often is let go after so many times.
  absl::Duration ping_interval = absl::Minutes(1);
  int ping_strikes = 2;
};

}  // namespace graft
