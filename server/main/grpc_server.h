// The gRPC listener: address, TLS, limits and keepalive policing around the services.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/access/certificate_files.h"
#include "server/config/listen_address.h"
#include "server/main/connection_limits.h"

namespace graft {

inline constexpr int kMaxMessageBytes = 64 << 20;
inline constexpr int kMaxMetadataBytes = 16 << 10;
inline constexpr int kMaxStreamsPerConnection = 64;

// Thread-safe. The services outlive it.
class GrpcServer {
 public:
  // Listens, in plaintext where `tls` has no files. Unavailable if the address cannot be bound, another server's
  // included; InvalidField for certificates that cannot be used.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const config::ListenAddress& address,
                                                           const access::CertificateFiles& tls,
                                                           const ConnectionLimits& limits,
                                                           const std::vector<grpc::Service*>& services);

  int port() const { return port_; }

  // Refuses new connections, lets calls in flight finish until `patience` has passed, then cancels them; returns when
  // the last one has ended.
  void Shutdown(absl::Duration patience);

 private:
  GrpcServer(std::shared_ptr<grpc::ServerCredentials> credentials, std::unique_ptr<grpc::Server> server, int port)
      : credentials_(std::move(credentials)), server_(std::move(server)), port_(port) {}

  const std::shared_ptr<grpc::ServerCredentials> credentials_;  // asked for certificates while the server lives
  const std::unique_ptr<grpc::Server> server_;
  const int port_;
};

}  // namespace graft
