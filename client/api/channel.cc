#include "client/api/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/base/loopback.h"
#include "core/base/pem_file.h"
#include "core/base/status_macros.h"

namespace graft::client {
namespace {

bool IsThisMachine(absl::string_view address) {
  if (absl::StartsWith(address, "unix:")) return true;
  absl::string_view host = address.substr(0, address.rfind(':'));
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return IsLoopbackHost(host);
}

grpc::ChannelArguments Arguments(const Keepalive& keepalive) {
  constexpr int kMaxMessageBytes = 64 << 20;  // as the server's
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  // Not slower than our own retries.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);  // the time one attempt to connect gets
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(absl::ToInt64Milliseconds(keepalive.ask_after)));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(absl::ToInt64Milliseconds(keepalive.patience)));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // also where nothing happens for hours
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Our own retries know what a job or an upload may repeat; gRPC's would add themselves to them.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return arguments;
}

absl::StatusOr<std::string> ReadPem(absl::string_view flag, const std::string& path) {
  return path.empty() ? std::string() : ReadPemFile(flag, path);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const Security& security) {
  if (!security.encrypted()) return grpc::InsecureChannelCredentials();
  if (security.certificate_file.empty() != security.key_file.empty()) {
    return InvalidField(security.key_file.empty() ? "--key-file" : "--cert-file", "is missing beside the other");
  }
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem("--ca-file", security.ca_file));
  ASSIGN_OR_RETURN(options.pem_cert_chain, ReadPem("--cert-file", security.certificate_file));
  ASSIGN_OR_RETURN(options.pem_private_key, ReadPem("--key-file", security.key_file));
  return grpc::SslCredentials(options);
}

// Puts the token into every call's metadata. gRPC's own call credentials refuse plaintext, loopback's too.
class TokenSender final : public grpc::experimental::Interceptor {
 public:
  explicit TokenSender(std::string header) : header_(std::move(header)) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", header_);
    }
    methods->Proceed();
  }

 private:
  const std::string header_;
};

class TokenSenders final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenSenders(absl::string_view token) : header_(absl::StrCat("Bearer ", token)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo* /*info*/) override {
    return new TokenSender(header_);
  }

 private:
  const std::string header_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const std::string& address, const Security& security,
                                                       const Keepalive& keepalive) {
  if (!security.token.empty() && !security.encrypted() && !IsThisMachine(address)) {
    return InvalidField("--token", absl::StrCat("would cross the network to ", address,
                                                " in plaintext: say --tls, or --ca-file for an authority of your own"));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials, CredentialsOf(security));
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> senders;
  if (!security.token.empty()) senders.push_back(std::make_unique<TokenSenders>(security.token));
  return grpc::experimental::CreateCustomChannelWithInterceptors(address, credentials, Arguments(keepalive),
                                                                 std::move(senders));
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address, const Keepalive& keepalive) {
  return *Connect(address, Security(), keepalive);
}

}  // namespace graft::client
