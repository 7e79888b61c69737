#include "server/access/access_directory.h"

#include "core/base/digest.h"
#include "tests/testing/eventually.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::access {
namespace {

class AccessDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(folder_.path() + "/graft.db"));
    // As the commands do: another process has another connection.
    ASSERT_OK_AND_ASSIGN(operators_, store::Database::Open(folder_.path() + "/graft.db"));
    ASSERT_OK_AND_ASSIGN(directory_, AccessDirectory::Start(database_.get()));
  }
  // Within the five seconds that are promised.
  template <typename Condition>
  static bool Becomes(Condition condition) {
    return testing::Eventually(condition, absl::Seconds(5));
  }

  std::shared_ptr<const Principal> FindToken(const std::string& token) const {
    return directory_->Find(Kind::kToken, Sha256Hex(token));
  }
  std::shared_ptr<const Principal> FindCertificate(const std::string& identity) const {
    return directory_->Find(Kind::kCertificate, identity);
  }

  testing::TemporaryFolder folder_;
  std::unique_ptr<store::Database> database_, operators_;
  std::unique_ptr<AccessDirectory> directory_;
};

TEST_F(AccessDirectoryTest, TokensComeAndGoWhileItRuns) {
  EXPECT_TRUE(directory_->empty());
  AccessStore store(operators_.get());
  ASSERT_OK_AND_ASSIGN(const std::string token,
                       store.CreateToken({.name = "a", .role = Role::kPredictor}, absl::Hours(1), "me"));
  ASSERT_TRUE(Becomes([&] { return FindToken(token) != nullptr; }));
  EXPECT_EQ(FindToken(token)->role, Role::kPredictor);
  EXPECT_EQ(FindToken(token + "x"), nullptr);
  EXPECT_EQ(FindToken(""), nullptr);
  EXPECT_FALSE(directory_->empty());
  ASSERT_OK(store.Revoke(Kind::kToken, "a", "me"));
  EXPECT_TRUE(Becomes([&] { return FindToken(token) == nullptr; }));
}

TEST_F(AccessDirectoryTest, TokensExpireByThemselves) {
  AccessStore store(operators_.get());
  ASSERT_OK_AND_ASSIGN(const std::string token, store.CreateToken({.name = "a"}, absl::Seconds(2), "me"));
  ASSERT_TRUE(Becomes([&] { return FindToken(token) != nullptr; }));
  EXPECT_TRUE(Becomes([&] { return FindToken(token) == nullptr; }));
}

TEST_F(AccessDirectoryTest, CertificatesAreKnownByTheirNames) {
  ASSERT_OK(AccessStore(operators_.get()).AddCertificate({.name = "robot"}, "spiffe://graft/robot", "me"));
  ASSERT_TRUE(Becomes([&] { return FindCertificate("spiffe://graft/robot") != nullptr; }));
  EXPECT_EQ(FindCertificate("robot"), nullptr) << "that is who it is, not what the certificate says";
  EXPECT_EQ(FindToken("spiffe://graft/robot"), nullptr);
}

}  // namespace
}  // namespace graft::access
