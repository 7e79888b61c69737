// "host:port", or a unix socket, as --listen takes it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::config {

struct ListenAddress {
  std::string host;       // without brackets
  int port = 0;           // 0: any free one
  std::string path = {};  // of a unix socket; then there is neither host nor port

  // "127.0.0.1:50051", "[::1]:50051", "unix:/run/graft/graft.sock"
  std::string ToString() const;
  ListenAddress WithPort(int other) const { return path.empty() ? ListenAddress{host, other} : *this; }
  // Only this machine can reach it: localhost, 127.0.0.0/8, ::1, a unix socket.
  bool IsLocal() const;
};

// InvalidField(field) if it is not host:port with a port of 0 to 65535 (IPv6 hosts are in brackets) or unix: and an
// absolute path of at most 107 bytes.
absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view field, absl::string_view text);

}  // namespace graft::config
