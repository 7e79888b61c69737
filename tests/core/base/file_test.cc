#include "core/base/file.h"

#include <filesystem>

#include "core/base/cores.h"
#include "core/base/digest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft {
namespace {

using ::graft::testing::IsOkAndHolds;
using ::graft::testing::StatusIs;

TEST(FileTest, DurableWriteReplacesAndLeavesNoTemporary) {
  testing::TemporaryFolder folder;
  ASSERT_OK(WriteFileDurably(folder / "a", "one"));
  ASSERT_OK(WriteFileDurably(folder / "a", "two"));
  EXPECT_THAT(ReadFile(folder / "a", 100), IsOkAndHolds("two"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(FileTest, ReadNamesFileAndLimit) {
  testing::TemporaryFolder folder;
  ASSERT_OK(WriteFileDurably(folder / "a", "0123456789"));
  EXPECT_THAT(ReadFile(folder / "a", 10), IsOkAndHolds("0123456789"));
  EXPECT_THAT(ReadFile(folder / "a", 9),
              StatusIs(absl::StatusCode::kResourceExhausted, ::testing::HasSubstr("limit is 9")));
  EXPECT_THAT(ReadFile(folder / "b", 9), StatusIs(absl::StatusCode::kNotFound, ::testing::HasSubstr("/b")));
}

TEST(FileTest, RenameNeverReplaces) {
  testing::TemporaryFolder folder;
  ASSERT_OK(CreateFolders(folder / "x/y"));
  ASSERT_OK(CreateFolders(folder / "z"));
  ASSERT_OK(RenameDurably(folder / "x/y", folder / "w"));
  EXPECT_THAT(RenameDurably(folder / "w", folder / "z"), StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST(FileTest, LockIsExclusiveUntilReleased) {
  testing::TemporaryFolder folder;
  EXPECT_FALSE(FileLock::IsHeld(folder / "lock"));
  {
    ASSERT_OK_AND_ASSIGN(auto lock, FileLock::TryAcquire(folder / "lock", "me"));
    EXPECT_TRUE(FileLock::IsHeld(folder / "lock"));
    EXPECT_THAT(FileLock::TryAcquire(folder / "lock", "you"), StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_THAT(ReadFile(folder / "lock", 10), IsOkAndHolds("me"));
  }
  EXPECT_FALSE(FileLock::IsHeld(folder / "lock"));
}

TEST(DigestTest, MatchesFips180Example) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_TRUE(IsSha256Hex(Sha256Hex("")));
  EXPECT_FALSE(IsSha256Hex("BA7816bf"));
}

TEST(CoresTest, AtLeastOne) {
  EXPECT_GE(AvailableCores(), 1);
}

}  // namespace
}  // namespace graft
