#include "core/access/access_store.h"

#include <soci/soci.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/access/audit_log.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/random_bytes.h"
#include "core/base/status_macros.h"
#include "core/store/transaction.h"

namespace graft::access {
namespace {

using soci::into;
using soci::use;
using store::Transaction;

constexpr size_t kMaxPrefixes = 32;
constexpr size_t kMaxIdentityBytes = 256;

absl::string_view NounOf(Kind kind) {
  return kind == Kind::kToken ? "token" : "certificate";
}

std::string NewToken() {
  return absl::StrCat("graft_", absl::WebSafeBase64Escape(RandomBytes(32)));
}

absl::Status CheckPrincipal(const Principal& principal) {
  RETURN_IF_ERROR(ValidateName("name", principal.name));
  if (principal.name == Anonymous().name || principal.name == Nobody().name) {
    return InvalidField("name", absl::StrCat("'", principal.name, "' is the server's own word for who has no name"));
  }
  if (principal.prefixes.size() > kMaxPrefixes) {
    return InvalidField("prefix", absl::StrCat("at most ", kMaxPrefixes, " of them"));
  }
  for (const std::string& prefix : principal.prefixes) {
    // The beginning of a name, so it may end in '-' or '_'.
    RETURN_IF_ERROR(ValidateName("prefix", absl::StrCat(prefix.empty() ? "." : prefix, "0")));
  }
  return absl::OkStatus();
}

long long MicrosOf(absl::Time time) {
  return time == absl::InfiniteFuture() ? 0 : absl::ToUnixMicros(time);
}

absl::Time TimeOf(long long micros) {
  return micros == 0 ? absl::InfiniteFuture() : absl::FromUnixMicros(micros);
}

// A principal whose time is over makes room for another of its name.
absl::Status MakeRoom(soci::session& sql, const Grant& grant) {
  const long long now = absl::ToUnixMicros(absl::Now());
  sql << "UPDATE principals SET revoke_time_us = expire_time_us "
         "WHERE revoke_time_us = 0 AND expire_time_us > 0 AND expire_time_us <= :now",
      use(now);
  const int kind = static_cast<int>(grant.kind);
  std::string holder;
  sql << "SELECT name FROM principals WHERE revoke_time_us = 0 AND (name = :name OR (kind = :kind AND secret = "
         ":secret))",
      use(grant.principal.name), use(kind), use(grant.secret), into(holder);
  if (!sql.got_data()) return absl::OkStatus();
  return ResourceExists("principal", holder, "a token or certificate has this name or identity; revoke it first");
}

absl::StatusOr<Grant> MakeGrant(int kind, std::string name, std::string secret, const std::string& role,
                                const std::string& prefixes) {
  Grant grant;
  grant.kind = static_cast<Kind>(kind);
  grant.secret = std::move(secret);
  grant.principal.name = std::move(name);
  ASSIGN_OR_RETURN(grant.principal.role, ParseRole("role", role));
  grant.principal.prefixes = absl::StrSplit(prefixes, '\n', absl::SkipEmpty());
  return grant;
}

}  // namespace

absl::Status AccessStore::Add(const Grant& grant, const std::string& operator_name) {
  return database_->Write("add principal", [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    RETURN_IF_ERROR(MakeRoom(sql, grant));
    const int kind = static_cast<int>(grant.kind);
    const std::string role(NameOf(grant.principal.role)), prefixes = absl::StrJoin(grant.principal.prefixes, "\n");
    const long long created = MicrosOf(grant.create_time), expires = MicrosOf(grant.expire_time);
    sql << "INSERT INTO principals (kind, name, secret, role, prefixes, create_time_us, expire_time_us) "
           "VALUES (:kind, :name, :secret, :role, :prefixes, :created, :expires)",
        use(kind), use(grant.principal.name), use(grant.secret), use(role), use(prefixes), use(created), use(expires);
    AppendAudit(transaction, {.principal = operator_name,
                              .action = absl::StrCat(NounOf(grant.kind), " create"),
                              .resources = {absl::StrCat(grant.principal.name, " as ", role)}});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::string> AccessStore::CreateToken(const Principal& principal, absl::Duration lifetime,
                                                     const std::string& operator_name) {
  RETURN_IF_ERROR(CheckPrincipal(principal));
  if (lifetime <= absl::ZeroDuration()) return InvalidField("expires", "must be above 0, for example 90d");
  std::string token = NewToken();
  const absl::Time now = absl::Now();
  RETURN_IF_ERROR(Add({.principal = principal,
                       .kind = Kind::kToken,
                       .secret = Sha256Hex(token),
                       .create_time = now,
                       .expire_time = now + lifetime},
                      operator_name));
  return token;
}

absl::Status AccessStore::AddCertificate(const Principal& principal, const std::string& identity,
                                         const std::string& operator_name) {
  RETURN_IF_ERROR(CheckPrincipal(principal));
  if (identity.empty() || identity.size() > kMaxIdentityBytes) {
    return InvalidField("identity", absl::StrCat("must be 1 to ", kMaxIdentityBytes, " bytes"));
  }
  return Add({.principal = principal, .kind = Kind::kCertificate, .secret = identity, .create_time = absl::Now()},
             operator_name);
}

absl::Status AccessStore::Revoke(Kind kind, const std::string& name, const std::string& operator_name) {
  return database_->Write("revoke principal", [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    const int kind_number = static_cast<int>(kind);
    const long long now = absl::ToUnixMicros(absl::Now());
    soci::statement update = (sql.prepare << "UPDATE principals SET revoke_time_us = :now "
                                             "WHERE name = :name AND kind = :kind AND revoke_time_us = 0",
                              use(now), use(name), use(kind_number));
    update.execute(true);
    if (update.get_affected_rows() == 0) return ResourceNotFound(NounOf(kind), name, "it may be revoked already");
    AppendAudit(transaction,
                {.principal = operator_name, .action = absl::StrCat(NounOf(kind), " revoke"), .resources = {name}});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<Grant>> AccessStore::List() {
  std::vector<Grant> grants;
  RETURN_IF_ERROR(database_->Read("list principals", [&](Transaction& transaction) -> absl::Status {
    int kind = 0;
    std::string name, secret, role, prefixes;
    long long created = 0, expires = 0, revoked = 0;
    soci::statement select =
        (transaction.sql().prepare << "SELECT kind, name, secret, role, prefixes, create_time_us, expire_time_us, "
                                      "revoke_time_us FROM principals ORDER BY id",
         into(kind), into(name), into(secret), into(role), into(prefixes), into(created), into(expires), into(revoked));
    for (select.execute(); select.fetch();) {
      ASSIGN_OR_RETURN(Grant grant, MakeGrant(kind, name, secret, role, prefixes));
      grant.create_time = TimeOf(created);
      grant.expire_time = TimeOf(expires);
      grant.revoke_time = TimeOf(revoked);
      grants.push_back(std::move(grant));
    }
    return absl::OkStatus();
  }));
  return grants;
}

}  // namespace graft::access
