// A server's certificate as PEM files that may be replaced while it runs.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace graft::access {

struct CertificateFiles {
  std::string certificate;  // the chain, the server's own first
  std::string key;          // unencrypted
  std::string client_ca;    // those who sign clients' certificates; empty: clients show none
};

struct Certificates {
  std::string chain, key, client_ca;  // PEM
};

// Reads and checks them: that the key is the certificate's, that it has not expired. InvalidField naming the flag and
// the file.
absl::StatusOr<Certificates> ReadCertificates(const CertificateFiles& files);

// Something that changes when one of the files is written or replaced; empty if one cannot be looked at.
std::string FilesStamp(const CertificateFiles& files);

}  // namespace graft::access
