#include "server/access/certificate_files.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/pem_file.h"
#include "core/base/status_macros.h"

namespace graft::access {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Pointer = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPointer = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

X509Pointer FirstCertificate(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  return {PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free};
}

// Without asking for a password on the terminal.
KeyPointer PrivateKey(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const auto no_password = [](char*, int, int, void*) { return -1; };
  return {PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr), EVP_PKEY_free};
}

}  // namespace

absl::StatusOr<Certificates> ReadCertificates(const CertificateFiles& files) {
  Certificates result;
  ASSIGN_OR_RETURN(result.chain, ReadPemFile("--tls-certificate", files.certificate));
  const X509Pointer certificate = FirstCertificate(result.chain);
  if (certificate == nullptr) {
    return InvalidField("--tls-certificate", absl::StrCat(files.certificate, " has no PEM certificate"));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0) {
    return InvalidField("--tls-certificate", absl::StrCat(files.certificate, " has expired"));
  }
  ASSIGN_OR_RETURN(result.key, ReadPemFile("--tls-key", files.key));
  const KeyPointer key = PrivateKey(result.key);
  if (key == nullptr) return InvalidField("--tls-key", absl::StrCat(files.key, " has no unencrypted PEM key"));
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return InvalidField("--tls-key", absl::StrCat(files.key, " is not the key of ", files.certificate));
  }
  if (files.client_ca.empty()) return result;
  ASSIGN_OR_RETURN(result.client_ca, ReadPemFile("--tls-client-ca", files.client_ca));
  if (FirstCertificate(result.client_ca) == nullptr) {
    return InvalidField("--tls-client-ca", absl::StrCat(files.client_ca, " has no PEM certificate"));
  }
  return result;
}

std::string FilesStamp(const CertificateFiles& files) {
  std::string stamp;
  for (const std::string& path : {files.certificate, files.key, files.client_ca}) {
    if (path.empty()) continue;
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) return "";
    absl::StrAppend(&stamp, info.st_dev, ":", info.st_ino, ":", info.st_size, ":", info.st_mtim.tv_sec, ".",
                    info.st_mtim.tv_nsec, " ");
  }
  return stamp;
}

}  // namespace graft::access
