#include "server/main/grpc_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/status/status.h"
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
}

void SetKeepalive(const ConnectionLimits& limits, grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(limits.keepalive));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(limits.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, Milliseconds(limits.ping_interval));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, limits.ping_strikes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(ConnectionAcceptor* acceptor,
                                                              const access::CertificateFiles& tls,
                                                              const ConnectionLimits& limits,
                                                              const std::vector<grpc::Service*>& services) {
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (!tls.certificate.empty()) {
    ASSIGN_OR_RETURN(credentials, access::TlsCredentials(tls));
  }
  grpc::ServerBuilder builder;
  SetLimits(limits, builder);
  SetKeepalive(limits, builder);
  using External = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  const std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor> entrance =
      builder.experimental().AddExternalConnectionAcceptor(External::FROM_FD, credentials);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return absl::InternalError("gRPC did not start");
  acceptor->Start([entrance](int listener, int connection) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.listener_fd = listener;
    parameters.fd = connection;
    entrance->HandleNewConnection(&parameters);
  });
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(credentials), std::move(server), acceptor));
}

void GrpcServer::Shutdown(absl::Duration patience, const std::function<bool()>& active) {
  const absl::Time end = absl::Now() + patience;
  acceptor_->StopAccepting();
  while (active() && absl::Now() < end) absl::SleepFor(absl::Milliseconds(5));
  // A call that arrives while gRPC shuts down is answered CANCELLED, which callers do not send again; one whose
  // connection ends is UNAVAILABLE, and they do. The last answers are on their way by then.
  absl::SleepFor(std::min(kLastAnswers, std::max(end - absl::Now(), absl::ZeroDuration())));
  acceptor_->EndConnections();
  server_->Shutdown(absl::ToChronoTime(end));
}

}  // namespace graft
