#include "server/access/tls_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <spdlog/spdlog.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/periodic_thread.h"
#include "core/base/status_macros.h"

namespace graft::access {
namespace {

constexpr absl::Duration kLookPeriod = absl::Seconds(1);

grpc_ssl_server_certificate_config* ConfigOf(const Certificates& certificates) {
  const grpc_ssl_pem_key_cert_pair pair = {certificates.key.c_str(), certificates.chain.c_str()};
  return grpc_ssl_server_certificate_config_create(
      certificates.client_ca.empty() ? nullptr : certificates.client_ca.c_str(), &pair, 1);
}

// What gRPC asks at each handshake, which waits for no file: a thread looks at them. Its C++ interface can only watch
// files by itself, and takes what it finds there unchecked: a certificate whose key comes a moment later would end TLS.
class Reloading {
 public:
  Reloading(CertificateFiles files, Certificates first, std::string stamp)
      : files_(std::move(files)),
        stamp_(std::move(stamp)),
        pending_(std::move(first)),
        has_pending_(true),
        looking_("certificates", kLookPeriod, [this] { Look(); }) {}

  grpc_ssl_certificate_config_reload_status Fetch(grpc_ssl_server_certificate_config** config)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!std::exchange(has_pending_, false)) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    *config = ConfigOf(pending_);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

 private:
  void Look() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::string stamp = FilesStamp(files_);
    if (stamp == stamp_) return;
    absl::StatusOr<Certificates> read = ReadCertificates(files_);
    if (!read.ok()) {
      if (stamp != refused_) spdlog::error("the certificate before stays in use: {}", read.status().ToString());
      refused_ = std::move(stamp);
      return;
    }
    spdlog::info("new certificate from {}", files_.certificate);
    stamp_ = std::move(stamp);
    absl::MutexLock lock(&mutex_);
    pending_ = *std::move(read);
    has_pending_ = true;
  }

  const CertificateFiles files_;
  // The looking thread's.
  std::string stamp_;                   // of the files in use
  std::optional<std::string> refused_;  // of those that could not be used
  absl::Mutex mutex_;
  Certificates pending_ ABSL_GUARDED_BY(mutex_);
  bool has_pending_ ABSL_GUARDED_BY(mutex_);
  PeriodicThread looking_;
};

grpc_ssl_certificate_config_reload_status FetchConfig(void* reloading, grpc_ssl_server_certificate_config** config) {
  return static_cast<Reloading*>(reloading)->Fetch(config);
}

class ReloadingCredentials final : public grpc::ServerCredentials {
 public:
  explicit ReloadingCredentials(std::unique_ptr<Reloading> reloading, bool asks_clients)
      : reloading_(std::move(reloading)) {
    grpc_ssl_server_credentials_options* options = grpc_ssl_server_credentials_create_options_using_config_fetcher(
        asks_clients ? GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
        FetchConfig, reloading_.get());
    credentials_ = grpc_ssl_server_credentials_create_with_options(options);  // takes the options
  }
  ~ReloadingCredentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  const std::unique_ptr<Reloading> reloading_;
  grpc_server_credentials* credentials_ = nullptr;
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsCredentials(const CertificateFiles& files) {
  std::string stamp = FilesStamp(files);
  ASSIGN_OR_RETURN(Certificates certificates, ReadCertificates(files));
  return std::make_shared<ReloadingCredentials>(
      std::make_unique<Reloading>(files, std::move(certificates), std::move(stamp)), !files.client_ca.empty());
}

}  // namespace graft::access
