// The gRPC server: TLS, limits and keepalive policing around the services.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/access/certificate_files.h"
#include "server/main/connection_acceptor.h"
#include "server/main/connection_limits.h"

namespace graft {

inline constexpr int kMaxMessageBytes = 64 << 20;
inline constexpr int kMaxMetadataBytes = 16 << 10;
inline constexpr int kMaxStreamsPerConnection = 64;

// Thread-safe. The services outlive it.
class GrpcServer {
 public:
  // Serves what `acceptor`, which outlives it, accepts from now on; in plaintext where `tls` has no files. InvalidField
  // for certificates that cannot be used.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(ConnectionAcceptor* acceptor,
                                                           const access::CertificateFiles& tls,
                                                           const ConnectionLimits& limits,
                                                           const std::vector<grpc::Service*>& services);

  // Refuses new connections, lets calls in flight finish until `patience` has passed or none is `active`, then ends the
  // connections and cancels what is left; returns when the last call has ended.
  void Shutdown(absl::Duration patience, const std::function<bool()>& active);

 private:
  GrpcServer(std::shared_ptr<grpc::ServerCredentials> credentials, std::unique_ptr<grpc::Server> server,
             ConnectionAcceptor* acceptor)
      : credentials_(std::move(credentials)), server_(std::move(server)), acceptor_(acceptor) {}

  const std::shared_ptr<grpc::ServerCredentials> credentials_;  // asked for certificates while the server lives
  const std::unique_ptr<grpc::Server> server_;
  ConnectionAcceptor* const acceptor_;
};

}  // namespace graft
