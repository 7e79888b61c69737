// The connection to a server.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

namespace graft::client {

// A lazily connected plaintext channel to "HOST:PORT": messages up to 64 MiB, quick reconnects after a server restart.
// `http_proxy` and its like are not followed: the usual server listens on loopback.
std::shared_ptr<grpc::Channel> Connect(const std::string& address);

}  // namespace graft::client
