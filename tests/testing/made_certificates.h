// Certificates for tests, made with OpenSSL's program.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"

namespace graft::testing {

struct MadeCertificate {
  std::string certificate, key;  // PEM files
};

inline void RunOpenssl(const std::string& arguments) {
  ASSERT_EQ(std::system(absl::StrCat("openssl ", arguments, " 2>/dev/null").c_str()), 0) << arguments;
}

// An authority of its own: FOLDER/NAME.pem and FOLDER/NAME.key, for localhost.
inline MadeCertificate MakeAuthority(const std::string& folder, const std::string& name, int days = 2) {
  const MadeCertificate made = {absl::StrCat(folder, "/", name, ".pem"), absl::StrCat(folder, "/", name, ".key")};
  RunOpenssl(absl::StrCat("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days ", days,
                          " -subj /CN=", name, " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout ", made.key,
                          " -out ", made.certificate));
  return made;
}

// Signed by `authority`, with common name NAME and the alternative name URI:spiffe://graft/NAME.
inline MadeCertificate MakeClient(const std::string& folder, const std::string& name,
                                  const MadeCertificate& authority) {
  const MadeCertificate made = {absl::StrCat(folder, "/", name, ".pem"), absl::StrCat(folder, "/", name, ".key")};
  const std::string request = absl::StrCat(folder, "/", name, ".csr");
  RunOpenssl(absl::StrCat("req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=", name,
                          " -addext subjectAltName=URI:spiffe://graft/", name, " -keyout ", made.key, " -out ",
                          request));
  RunOpenssl(absl::StrCat("x509 -req -days 2 -copy_extensions copy -in ", request, " -CA ", authority.certificate,
                          " -CAkey ", authority.key, " -CAcreateserial -out ", made.certificate));
  return made;
}

}  // namespace graft::testing
