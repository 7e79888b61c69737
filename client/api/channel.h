// The connection to a server.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace graft::client {

// A server that vanishes without a word (a cable, a frozen machine) while calls are under way is noticed after both.
struct Keepalive {
  absl::Duration ask_after = absl::Seconds(70);  // of silence; the server sends clients away that ask every minute
  absl::Duration patience = absl::Seconds(20);   // for the answer
};

// How a connection is protected, and who calls. Files are PEM.
struct Security {
  bool tls = false;              // also where one of the files is given
  std::string ca_file;           // whom to trust; empty: the machine's authorities
  std::string certificate_file;  // who we are, for mutual TLS, with its key
  std::string key_file;
  std::string token;  // sent with every call; empty: none

  bool encrypted() const { return tls || !ca_file.empty() || !certificate_file.empty() || !key_file.empty(); }
};

// A lazily connected channel to "HOST:PORT" or "unix:/PATH": messages up to 64 MiB, quick reconnects after a server
// restart. Calls whose server has vanished end Unavailable. `http_proxy` and its like are not followed: the usual
// server listens on loopback. InvalidField for files that cannot be read, and for a token that would cross the network
// in plaintext.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const std::string& address, const Security& security,
                                                       const Keepalive& keepalive = {});
// In plaintext, without a token.
std::shared_ptr<grpc::Channel> Connect(const std::string& address, const Keepalive& keepalive = {});

}  // namespace graft::client
