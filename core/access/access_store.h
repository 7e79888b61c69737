// Bearer tokens and client-certificate identities, in the database. Of a token only its SHA-256 is kept.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/access/principal.h"
#include "core/store/database.h"

namespace graft::access {

enum class Kind { kToken = 1, kCertificate = 2 };

// A stored way to be somebody.
struct Grant {
  Principal principal;
  Kind kind = Kind::kToken;
  std::string secret;  // a token's SHA-256 in hex, or the name within the certificate
  absl::Time create_time;
  absl::Time expire_time = absl::InfiniteFuture();
  absl::Time revoke_time = absl::InfiniteFuture();

  bool valid(absl::Time now) const { return now < expire_time && now < revoke_time; }
};

// Thread-safe; several processes share the tables. Each change is recorded in the audit log as `operator_name`'s.
class AccessStore {
 public:
  explicit AccessStore(store::Database* database) : database_(database) {}

  // A new token: "graft_" and 43 characters that encode 256 random bits; it can be read here alone. ResourceExists if
  // a valid principal has the name, InvalidField("name", "prefix", "expires") if malformed; lifetimes are above 0.
  absl::StatusOr<std::string> CreateToken(const Principal& principal, absl::Duration lifetime,
                                          const std::string& operator_name);
  // Whoever shows a certificate (that --tls-client-ca signed) with `identity` as an alternative or common name is
  // `principal`.
  absl::Status AddCertificate(const Principal& principal, const std::string& identity,
                              const std::string& operator_name);
  // Ends what a name may do. ResourceNotFound without a valid principal of that name and kind.
  absl::Status Revoke(Kind kind, const std::string& name, const std::string& operator_name);

  // By age; with those that were revoked or have expired.
  absl::StatusOr<std::vector<Grant>> List();

 private:
  absl::Status Add(const Grant& grant, const std::string& operator_name);

  store::Database* const database_;
};

}  // namespace graft::access
