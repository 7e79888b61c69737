#include "core/store/connection.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"

namespace graft::store {
namespace {

// Where SOCI includes sqlite3.h.
using namespace sqlite_api;  // NOLINT(google-build-using-namespace)

// A writer holds the lock for one transaction (milliseconds); the rest is for a slow disk's fsync.
constexpr int kBusyTimeoutMilliseconds = 5000;
constexpr int kBeginAttempts = 4;

// cache_size in KiB: SQLite's 2 MB for each connection would fill over hours, and the kernel caches the file anyway.
constexpr char kSettings[] =
    "PRAGMA synchronous=FULL;"
    "PRAGMA foreign_keys=ON;"
    "PRAGMA trusted_schema=OFF;"
    "PRAGMA cell_size_check=ON;"
    "PRAGMA cache_size=-256;";

sqlite3* Handle(soci::session& sql) {
  return static_cast<soci::sqlite3_session_backend*>(sql.get_backend())->conn_;
}

bool IsBusy(int code) {
  return (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED;
}

int Run(soci::session& sql, const char* statements) {
  return sqlite3_exec(Handle(sql), statements, nullptr, nullptr, nullptr);
}

// SQLITE_BUSY comes back in spite of the busy timeout where waiting could deadlock (recovery, the switch to WAL).
absl::Status ExecuteWithRetry(soci::session& sql, const char* statements) {
  int code = SQLITE_OK;
  for (int attempt = 0; attempt < kBeginAttempts; ++attempt) {
    code = Run(sql, statements);
    if (!IsBusy(code)) break;
    sqlite3_sleep(10 << attempt);
  }
  return code == SQLITE_OK ? absl::OkStatus() : SqliteError(sql, code, sqlite3_errmsg(Handle(sql)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<soci::session>> Connect(const std::string& path, Access access) {
  if (absl::StrContains(path, '"')) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": the path of the database must not contain '\"'"));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<soci::session> sql,
                   StatusFromThrow(absl::StatusCode::kInternal, absl::StrCat("open ", path), [&path] {
                     return std::make_unique<soci::session>(soci::sqlite3, absl::StrCat("db=\"", path, "\""));
                   }));
  sqlite3_busy_timeout(Handle(*sql), kBusyTimeoutMilliseconds);
  RETURN_IF_ERROR(ExecuteWithRetry(*sql, "PRAGMA journal_mode=WAL"));
  RETURN_IF_ERROR(Execute(*sql, kSettings));
  if (access == Access::kRead) RETURN_IF_ERROR(Execute(*sql, "PRAGMA query_only=ON"));
  return sql;
}

absl::Status Execute(soci::session& sql, const char* statements) {
  const int code = Run(sql, statements);
  return code == SQLITE_OK ? absl::OkStatus() : SqliteError(sql, code, sqlite3_errmsg(Handle(sql)));
}

absl::Status BeginImmediate(soci::session& sql) {
  return ExecuteWithRetry(sql, "BEGIN IMMEDIATE");
}

void RollBack(soci::session& sql) {
  // Some errors (a full disk) make SQLite roll back by itself.
  if (sqlite3_get_autocommit(Handle(sql)) == 0) Run(sql, "ROLLBACK");
}

absl::Status SqliteError(soci::session& sql, int code, absl::string_view message) {
  const char* const name = sqlite3_db_filename(Handle(sql), "main");
  const std::string path = name == nullptr ? "database" : name;
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(absl::StrCat(message, ": no space left in the data folder ",
                                                       std::filesystem::path(path).parent_path().string(),
                                                       "; free some and try again"));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(absl::StrCat(message, ": ", path, " is damaged"));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return RetryLater(absl::StatusCode::kUnavailable,
                        absl::StrCat(message, ": another process keeps ", path, " busy"), absl::Seconds(1));
    default:
      return absl::InternalError(absl::StrCat(message, " (", path, ", SQLite code ", code, ")"));
  }
}

}  // namespace graft::store
