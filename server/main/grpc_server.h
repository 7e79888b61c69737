// The gRPC listener: limits, keepalive policing, health and reflection around the services.
#pragma once

#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/config/listen_address.h"

namespace graft {

inline constexpr int kMaxMessageBytes = 64 << 20;

struct NamedService {
  std::string name;  // "graft.v1.TrainingService", for health checks
  grpc::Service* service;
};

// Thread-safe. The services outlive it.
class GrpcServer {
 public:
  // Listens; health says SERVING. Unavailable if the address cannot be bound, another server's included.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const config::ListenAddress& address,
                                                           const std::vector<NamedService>& services);

  int port() const { return port_; }

  // Health says NOT_SERVING; load balancers turn away while calls are still answered.
  void AnnounceShutdown();
  // Refuses new connections, lets calls in flight finish until `patience` has passed, then cancels them; returns when
  // the last one has ended.
  void Shutdown(absl::Duration patience);

 private:
  GrpcServer(std::unique_ptr<grpc::Server> server, int port) : server_(std::move(server)), port_(port) {}

  const std::unique_ptr<grpc::Server> server_;
  const int port_;
};

}  // namespace graft
