// TLS for a listener: 1.2 and later, and no plaintext. Each handshake uses the certificate that is in the files then.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "server/access/certificate_files.h"

namespace graft::access {

// Errors are ReadCertificates'. Files that change into something unusable are logged, and the last good ones stay. With
// a client_ca a client may show a certificate, which must then be signed by it; who shows none needs a token.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsCredentials(const CertificateFiles& files);

}  // namespace graft::access
