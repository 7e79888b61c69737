#include "server/main/grpc_server.h"

#include <arpa/inet.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "server/access/tls_credentials.h"

namespace graft {
namespace {

constexpr absl::Duration kLastAnswers = absl::Milliseconds(100);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

void SetLimits(const ConnectionLimits& limits, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(limits.handshake));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(limits.idle));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(limits.age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Milliseconds(limits.age_grace));
  // A second server on the same port must fail instead of getting every other connection.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

// Dead peers are found within 140 s; clients that ping more often than once a minute are sent away.
void SetKeepalive(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(absl::Minutes(2)));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(absl::Seconds(20)));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, Milliseconds(absl::Minutes(1)));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 2);
}

enum class SocketKind { kListening, kConnected };

// gRPC hands out neither its listener nor its connections, so they are found among the process's open files.
bool IsServerSocket(int fd, const config::ListenAddress& address) {
  sockaddr_storage name{};
  socklen_t size = sizeof(name);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return false;
  if (name.ss_family == AF_UNIX) {
    return !address.path.empty() && address.path == reinterpret_cast<const sockaddr_un*>(&name)->sun_path;
  }
  if (!address.path.empty()) return false;
  if (name.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&name)->sin_port) == address.port;
  return name.ss_family == AF_INET6 && ntohs(reinterpret_cast<const sockaddr_in6*>(&name)->sin6_port) == address.port;
}

void EndSockets(const config::ListenAddress& address, SocketKind kind) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    int fd = -1, listens = 0;
    socklen_t size = sizeof(listens);
    if (!absl::SimpleAtoi(entry.path().filename().string(), &fd) || !IsServerSocket(fd, address)) continue;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0) continue;
    if ((listens != 0) == (kind == SocketKind::kListening)) shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const config::ListenAddress& address,
                                                              const access::CertificateFiles& tls,
                                                              const ConnectionLimits& limits,
                                                              const std::vector<grpc::Service*>& services) {
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (!tls.certificate.empty()) {
    ASSIGN_OR_RETURN(credentials, access::TlsCredentials(tls));
  }
  grpc::ServerBuilder builder;
  SetLimits(limits, builder);
  SetKeepalive(builder);
  int port = 0;
  builder.AddListeningPort(address.ToString(), credentials, &port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat("--listen ", address.ToString(),
                                               " cannot be bound; does another server listen there? Stop it or choose "
                                               "another ",
                                               address.path.empty() ? "port" : "path"));
  }
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(credentials), std::move(server), address.WithPort(port)));
}

void GrpcServer::Shutdown(absl::Duration patience, const std::function<bool()>& active) {
  const absl::Time end = absl::Now() + patience;
  EndSockets(address_, SocketKind::kListening);
  while (active() && absl::Now() < end) absl::SleepFor(absl::Milliseconds(5));
  // A call that arrives while gRPC shuts down is answered CANCELLED, which callers do not send again; one whose
  // connection ends is UNAVAILABLE, and they do. The last answers are on their way by then.
  absl::SleepFor(std::min(kLastAnswers, std::max(end - absl::Now(), absl::ZeroDuration())));
  EndSockets(address_, SocketKind::kConnected);
  server_->Shutdown(absl::ToChronoTime(end));
}

}  // namespace graft
