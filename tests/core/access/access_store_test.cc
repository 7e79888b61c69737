#include "core/access/access_store.h"

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "core/access/audit_log.h"
#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/store/transaction.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::access {
namespace {

using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class AccessStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(path_)); }
  AccessStore access() { return AccessStore(database_.get()); }
  std::vector<AuditEntry> Audit() { return AuditLog(database_.get()).After(0, 100).value(); }

  testing::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/graft.db";
  std::unique_ptr<store::Database> database_;
};

const Principal kTeam = {.name = "team", .role = Role::kTrainer, .prefixes = {"team-", "shared"}};

TEST_F(AccessStoreTest, OfATokenOnlyItsDigestIsKept) {
  ASSERT_OK_AND_ASSIGN(const std::string token, access().CreateToken(kTeam, absl::Hours(1), "me"));
  EXPECT_EQ(token.size(), 6U + 43U);
  EXPECT_TRUE(absl::StartsWith(token, "graft_"));
  ASSERT_OK_AND_ASSIGN(const std::vector<Grant> grants, access().List());
  ASSERT_EQ(grants.size(), 1U);
  const Grant& grant = grants.front();
  EXPECT_EQ(grant.secret, Sha256Hex(token));
  EXPECT_EQ(grant.principal.name, "team");
  EXPECT_EQ(grant.principal.role, Role::kTrainer);
  EXPECT_THAT(grant.principal.prefixes, ElementsAre("team-", "shared"));
  EXPECT_TRUE(grant.valid(absl::Now()));
  EXPECT_FALSE(grant.valid(absl::Now() + absl::Hours(1)));
  for (const char* file : {"", "-wal"}) {
    const auto bytes = ReadFile(path_ + file, 64 << 20);
    if (bytes.ok()) {
      EXPECT_FALSE(absl::StrContains(*bytes, token.substr(6))) << file;
    }
  }
}

TEST_F(AccessStoreTest, TokensDiffer) {
  ASSERT_OK_AND_ASSIGN(const std::string first, access().CreateToken({.name = "a"}, absl::Hours(1), "me"));
  ASSERT_OK_AND_ASSIGN(const std::string second, access().CreateToken({.name = "b"}, absl::Hours(1), "me"));
  EXPECT_NE(first, second);
}

TEST_F(AccessStoreTest, NamesAreTakenUntilRevokedOrExpired) {
  EXPECT_OK(access().CreateToken(kTeam, absl::Milliseconds(1), "me"));
  absl::SleepFor(absl::Milliseconds(5));
  EXPECT_OK(access().CreateToken(kTeam, absl::Hours(1), "me")) << "the first has expired";
  EXPECT_THAT(access().CreateToken(kTeam, absl::Hours(1), "me"),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("team")));
  EXPECT_THAT(access().Revoke(Kind::kCertificate, "team", "me"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(access().Revoke(Kind::kToken, "team", "me"));
  EXPECT_THAT(access().Revoke(Kind::kToken, "team", "me"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(access().AddCertificate(kTeam, "spiffe://graft/team", "me"));
  EXPECT_THAT(access().AddCertificate({.name = "other"}, "spiffe://graft/team", "me"),
              StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(AccessStoreTest, BadInputNamesItsField) {
  const auto create = [this](Principal principal, absl::Duration lifetime) {
    return access().CreateToken(principal, lifetime, "me").status();
  };
  EXPECT_THAT(create({.name = "no spaces"}, absl::Hours(1)), StatusIs(kInvalid, HasSubstr("name")));
  EXPECT_THAT(create({.name = "anonymous"}, absl::Hours(1)), StatusIs(kInvalid, HasSubstr("name")));
  EXPECT_THAT(create({.name = "nobody"}, absl::Hours(1)), StatusIs(kInvalid, HasSubstr("name")));
  EXPECT_THAT(create({.name = "a", .prefixes = {"UPPER"}}, absl::Hours(1)), StatusIs(kInvalid, HasSubstr("prefix")));
  EXPECT_THAT(create({.name = "a", .prefixes = {""}}, absl::Hours(1)), StatusIs(kInvalid, HasSubstr("prefix")));
  EXPECT_THAT(create({.name = "a", .prefixes = std::vector<std::string>(33, "x")}, absl::Hours(1)), StatusIs(kInvalid));
  EXPECT_OK(create({.name = "a", .prefixes = std::vector<std::string>(32, "x")}, absl::Hours(1)));
  EXPECT_THAT(create({.name = "b"}, absl::ZeroDuration()), StatusIs(kInvalid, HasSubstr("expires")));
  EXPECT_THAT(access().AddCertificate({.name = "c"}, "", "me"), StatusIs(kInvalid, HasSubstr("identity")));
  EXPECT_THAT(access().AddCertificate({.name = "c"}, std::string(257, 'x'), "me"), StatusIs(kInvalid));
  EXPECT_OK(access().AddCertificate({.name = "c"}, std::string(256, 'x'), "me"));
}

TEST_F(AccessStoreTest, EveryChangeIsInTheAuditLog) {
  ASSERT_OK(access().CreateToken(kTeam, absl::Hours(1), "operator, uid 7"));
  ASSERT_OK(access().Revoke(Kind::kToken, "team", "operator, uid 7"));
  const std::vector<AuditEntry> entries = Audit();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].principal, "operator, uid 7");
  EXPECT_EQ(entries[0].action, "token create");
  EXPECT_THAT(entries[0].resources, ElementsAre("team as trainer"));
  EXPECT_EQ(entries[1].action, "token revoke");
  EXPECT_LT(entries[0].sequence, entries[1].sequence);
}

TEST_F(AccessStoreTest, TheAuditLogIsOnlyAppendedTo) {
  AuditLog log(database_.get());
  ASSERT_OK(log.Append({.principal = "a", .action = "x", .resources = {"one", "two"}, .request_id = "r"}));
  for (const char* change : {"DELETE FROM audit_log", "UPDATE audit_log SET principal = 'b'"}) {
    const absl::Status status = database_->Write("tamper", [&](store::Transaction& transaction) {
      transaction.sql() << change;
      return absl::OkStatus();
    });
    EXPECT_THAT(status, ::testing::Not(IsOk())) << change;
    EXPECT_THAT(status.message(), HasSubstr("append-only")) << change;
  }
  ASSERT_EQ(Audit().size(), 1U);
  EXPECT_THAT(Audit()[0].resources, ElementsAre("one", "two"));
  EXPECT_EQ(Audit()[0].decision, "allowed");
}

}  // namespace
}  // namespace graft::access
