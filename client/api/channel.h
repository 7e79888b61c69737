// The connection to a server.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/time/time.h"

namespace graft::client {

// A server that vanishes without a word (a cable, a frozen machine) while calls are under way is noticed after both.
struct Keepalive {
  absl::Duration ask_after = absl::Seconds(70);  // of silence; the server sends clients away that ask every minute
  absl::Duration patience = absl::Seconds(20);   // for the answer
};

// A lazily connected plaintext channel to "HOST:PORT": messages up to 64 MiB, quick reconnects after a server restart.
// Calls whose server has vanished end Unavailable.
// `http_proxy` and its like are not followed: the usual server listens on loopback.
std::shared_ptr<grpc::Channel> Connect(const std::string& address, const Keepalive& keepalive = {});

}  // namespace graft::client
