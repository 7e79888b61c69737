#include "core/store/migrations.h"

#include <soci/soci.h>
#include <sys/stat.h>

#include <thread>

#include "core/store/connection.h"
#include "core/store/database.h"
#include "core/store/transaction.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::store {
namespace {

using ::graft::testing::StatusIs;
using ::testing::HasSubstr;

int Count(soci::session& sql, const std::string& table) {
  int count = 0;
  sql << "SELECT COUNT(*) FROM " << table, soci::into(count);
  return count;
}

class MigrateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(mknod(path_.c_str(), S_IFREG | 0600, 0), 0);
    ASSERT_OK_AND_ASSIGN(sql_, Connect(path_, Access::kWrite));
  }

  const testing::TemporaryFolder folder_;
  const std::string path_ = folder_ / "graft.db";
  std::unique_ptr<soci::session> sql_;
};

TEST_F(MigrateTest, AppliesEachOnceAndLaterOnesLater) {
  const Migration first = {1, "first", "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1); -- it's; done"};
  const Migration second = {2, "second", "INSERT INTO a VALUES (2);"};
  ASSERT_OK(Migrate(*sql_, {first}));
  ASSERT_OK(Migrate(*sql_, {first}));
  EXPECT_EQ(Count(*sql_, "a"), 1);
  ASSERT_OK(Migrate(*sql_, {first, second}));
  EXPECT_EQ(Count(*sql_, "a"), 2);
  EXPECT_EQ(Count(*sql_, "schema_migrations"), 2);
}

TEST_F(MigrateTest, FailedMigrationLeavesNothing) {
  const Migration broken = {1, "broken", "CREATE TABLE a (x INTEGER); INSERT INTO b VALUES (1);"};
  EXPECT_THAT(Migrate(*sql_, {broken}), StatusIs(absl::StatusCode::kInternal, HasSubstr("1_broken")));
  EXPECT_EQ(Count(*sql_, "schema_migrations"), 0);
  EXPECT_OK(Migrate(*sql_, {{1, "whole", "CREATE TABLE a (x INTEGER);"}}));
}

TEST_F(MigrateTest, TwoAtOnceApplyEachOnce) {
  ASSERT_OK_AND_ASSIGN(const auto other, Connect(path_, Access::kWrite));
  const Migration first = {1, "first", "CREATE TABLE a (x INTEGER);"};
  const Migration second = {2, "second", "INSERT INTO a VALUES (2);"};
  std::thread thread([&] { EXPECT_OK(Migrate(*other, {first, second})); });
  EXPECT_OK(Migrate(*sql_, {first, second}));
  thread.join();
  EXPECT_EQ(Count(*sql_, "a"), 1);
}

TEST(CompiledMigrationsTest, HaveAscendingVersions) {
  int last = 0;
  for (const Migration& migration : CompiledMigrations()) {
    EXPECT_GT(migration.version, last) << migration.name;
    last = migration.version;
  }
  EXPECT_GE(last, 1);
}

TEST(DatabaseMigrationTest, OpensAgainAndRefusesADatabaseOfANewerProgram) {
  const testing::TemporaryFolder folder;
  {
    ASSERT_OK(Database::Open(folder / "graft.db"));
    ASSERT_OK_AND_ASSIGN(const auto again, Database::Open(folder / "graft.db"));
    ASSERT_OK(again->Write("pretend to be newer", [](Transaction& transaction) {
      transaction.sql() << "INSERT INTO schema_migrations VALUES (9000, 'future', 'later')";
      return absl::OkStatus();
    }));
  }
  EXPECT_THAT(Database::Open(folder / "graft.db"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("made by a newer Graft")));
}

}  // namespace
}  // namespace graft::store
