#include "core/store/database.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/store/transaction.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::store {
namespace {

using ::graft::testing::StatusIs;
using ::testing::HasSubstr;

absl::Status CreateNumbers(Database& database) {
  return database.Write("create table", [](Transaction& transaction) {
    transaction.sql() << "CREATE TABLE numbers (value INTEGER NOT NULL UNIQUE)";
    return absl::OkStatus();
  });
}

absl::Status AddNumber(Database& database, int value) {
  return database.Write("add number", [value](Transaction& transaction) {
    transaction.sql() << "INSERT INTO numbers (value) VALUES (:value)", soci::use(value);
    return absl::OkStatus();
  });
}

int CountNumbers(Transaction& transaction) {
  int count = 0;
  transaction.sql() << "SELECT COUNT(*) FROM numbers", soci::into(count);
  return count;
}

int CountNumbers(Database& database) {
  int count = -1;
  EXPECT_OK(database.Read("count numbers", [&count](Transaction& transaction) {
    count = CountNumbers(transaction);
    return absl::OkStatus();
  }));
  return count;
}

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(path_));
    ASSERT_OK(CreateNumbers(*database_));
  }

  const testing::TemporaryFolder folder_;
  const std::string path_ = folder_ / "graft.db";
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, FilesAreReadableByTheirOwnerOnly) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat info;
    ASSERT_EQ(stat((path_ + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << suffix;
  }
}

TEST_F(DatabaseTest, ErrorOfTheStepRollsBackAndComesOut) {
  const absl::Status status = database_->Write("add and refuse", [](Transaction& transaction) {
    transaction.sql() << "INSERT INTO numbers (value) VALUES (1)";
    return absl::NotFoundError("refused");
  });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, "refused"));
  EXPECT_EQ(CountNumbers(*database_), 0);
}

TEST_F(DatabaseTest, ThrowOfTheStepRollsBackAndNamesTheStep) {
  const absl::Status status = database_->Write("add and throw", [](Transaction& transaction) -> absl::Status {
    transaction.sql() << "INSERT INTO numbers (value) VALUES (1)";
    throw std::runtime_error("thrown");
  });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInternal, "add and throw: thrown"));
  EXPECT_EQ(CountNumbers(*database_), 0);
}

TEST_F(DatabaseTest, BrokenConstraintIsAnErrorAndTheDatabaseGoesOn) {
  ASSERT_OK(AddNumber(*database_, 1));
  EXPECT_THAT(AddNumber(*database_, 1), StatusIs(absl::StatusCode::kInternal, HasSubstr("add number")));
  EXPECT_OK(AddNumber(*database_, 2));
  EXPECT_EQ(CountNumbers(*database_), 2);
}

TEST_F(DatabaseTest, FullDiskIsResourceExhaustedAndNamesTheFolder) {
  const absl::Status status = database_->Write("fill", [](Transaction& transaction) {
    transaction.sql() << "PRAGMA max_page_count=1";  // SQLite takes the present size instead
    transaction.sql() << "INSERT INTO numbers (value) WITH RECURSIVE n(i) AS "
                         "(SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT i FROM n";
    return absl::OkStatus();
  });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr(folder_.path())));
  EXPECT_EQ(CountNumbers(*database_), 0);
}

TEST_F(DatabaseTest, ReadSeesOneSnapshot) {
  ASSERT_OK(AddNumber(*database_, 1));
  ASSERT_OK(database_->Read("read twice", [this](Transaction& transaction) {
    EXPECT_EQ(CountNumbers(transaction), 1);
    EXPECT_OK(AddNumber(*database_, 2));
    EXPECT_EQ(CountNumbers(transaction), 1);
    return absl::OkStatus();
  }));
  EXPECT_EQ(CountNumbers(*database_), 2);
}

TEST_F(DatabaseTest, ReadCannotWrite) {
  EXPECT_THAT(database_->Read("sneak",
                              [](Transaction& transaction) {
                                transaction.sql() << "INSERT INTO numbers (value) VALUES (1)";
                                return absl::OkStatus();
                              }),
              StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(CountNumbers(*database_), 0);
}

TEST_F(DatabaseTest, DataVersionChangesWithOwnAndOtherCommitsOnly) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> other, Database::Open(path_));
  ASSERT_OK_AND_ASSIGN(const int64_t before, database_->DataVersion());
  EXPECT_EQ(CountNumbers(*database_), 0);
  EXPECT_THAT(database_->DataVersion(), testing::IsOkAndHolds(before));
  ASSERT_OK(AddNumber(*database_, 1));
  ASSERT_OK_AND_ASSIGN(const int64_t after_own, database_->DataVersion());
  EXPECT_NE(after_own, before);
  ASSERT_OK(AddNumber(*other, 2));
  ASSERT_OK_AND_ASSIGN(const int64_t after_other, database_->DataVersion());
  EXPECT_NE(after_other, after_own);
}

// A read followed by a write in one transaction: with a plain BEGIN this fails with "database is locked".
TEST_F(DatabaseTest, ReadThenWriteOfManyThreadsAndTwoObjectsLosesNothing) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> other, Database::Open(path_));
  constexpr int kThreads = 4, kRounds = 25;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      Database& database = i % 2 == 0 ? *database_ : *other;
      for (int round = 0; round < kRounds; ++round) {
        EXPECT_OK(database.Write("add the count", [](Transaction& transaction) {
          const int count = CountNumbers(transaction);
          transaction.sql() << "INSERT INTO numbers (value) VALUES (:value)", soci::use(count);
          return absl::OkStatus();
        }));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(CountNumbers(*database_), kThreads * kRounds);
}

TEST(DatabaseOpenTest, FileThatIsNoDatabaseIsDataLoss) {
  const testing::TemporaryFolder folder;
  std::ofstream(folder / "graft.db") << std::string(8192, 'x');
  EXPECT_THAT(Database::Open(folder / "graft.db"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("graft.db")));
}

TEST(DatabaseOpenTest, PathMayHaveSpaces) {
  const testing::TemporaryFolder folder;
  ASSERT_OK(Database::Open(folder / "a folder/graft.db"));
  EXPECT_TRUE(std::filesystem::exists(folder / "a folder/graft.db"));
}

}  // namespace
}  // namespace graft::store
