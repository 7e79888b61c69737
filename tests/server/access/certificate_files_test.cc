#include "server/access/certificate_files.h"

#include <filesystem>

#include "core/base/file.h"
#include "tests/testing/made_certificates.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::access {
namespace {

using ::graft::testing::MadeCertificate;
using ::graft::testing::MakeAuthority;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(CertificateFilesTest, WhatCannotBeUsedNamesFlagAndFile) {
  const testing::TemporaryFolder folder;
  const MadeCertificate good = MakeAuthority(folder.path(), "good"), other = MakeAuthority(folder.path(), "other");
  const auto read = [](const CertificateFiles& files) { return ReadCertificates(files).status(); };
  EXPECT_OK(read({good.certificate, good.key, ""}));
  EXPECT_OK(read({good.certificate, good.key, other.certificate}));
  EXPECT_THAT(read({good.certificate, other.key, ""}),
              StatusIs(kInvalid, AllOf(HasSubstr("--tls-key"), HasSubstr("other.key is not the key of"))));
  EXPECT_THAT(read({good.key, good.key, ""}), StatusIs(kInvalid, HasSubstr("--tls-certificate")));
  EXPECT_THAT(read({good.certificate, good.certificate, ""}), StatusIs(kInvalid, HasSubstr("--tls-key")));
  EXPECT_THAT(read({good.certificate, good.key, good.key}), StatusIs(kInvalid, HasSubstr("--tls-client-ca")));
  EXPECT_THAT(read({folder.path() + "/absent.pem", good.key, ""}),
              StatusIs(kInvalid, AllOf(HasSubstr("--tls-certificate"), HasSubstr("absent.pem"))));
}

TEST(CertificateFilesTest, StampChangesWithTheFiles) {
  const testing::TemporaryFolder folder;
  const MadeCertificate made = MakeAuthority(folder.path(), "made");
  const CertificateFiles files = {made.certificate, made.key, ""};
  const std::string before = FilesStamp(files);
  EXPECT_FALSE(before.empty());
  EXPECT_EQ(FilesStamp(files), before);
  MakeAuthority(folder.path(), "made");
  EXPECT_NE(FilesStamp(files), before);
  std::filesystem::remove(made.key);
  EXPECT_EQ(FilesStamp(files), "");
}

}  // namespace
}  // namespace graft::access
