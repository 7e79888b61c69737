// "host:port" as --listen takes it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::config {

struct ListenAddress {
  std::string host;  // without brackets
  int port = 0;      // 0: any free one

  // "127.0.0.1:50051", "[::1]:50051"
  std::string ToString() const;
  ListenAddress WithPort(int other) const { return {host, other}; }
  // Only this machine can reach it: localhost, 127.0.0.0/8, ::1.
  bool IsLoopback() const;
};

// InvalidField(field) if it is not host:port with a port of 0 to 65535; IPv6 hosts are in brackets.
absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view field, absl::string_view text);

}  // namespace graft::config
