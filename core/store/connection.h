// One SQLite connection as this project wants it, and the errors of SQLite as Status.
#pragma once

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/status_from_throw.h"

namespace graft::store {

enum class Access { kWrite, kRead };

// Opens `path`, which must exist: WAL, synchronous=FULL, foreign keys on, schema not trusted, cells checked.
absl::StatusOr<std::unique_ptr<soci::session>> Connect(const std::string& path, Access access);

// Runs statements that have no parameters and no result.
absl::Status Execute(soci::session& sql, const char* statements);

// BEGIN IMMEDIATE, waiting a bounded time for other writers; then Unavailable.
absl::Status BeginImmediate(soci::session& sql);

// Ends the transaction, if one is open, without its changes.
void RollBack(soci::session& sql);

// The error for a SQLite result code: a full disk is ResourceExhausted, a damaged file DataLoss, a locked one
// Unavailable, the rest Internal. Names the database file.
absl::Status SqliteError(soci::session& sql, int code, absl::string_view message);

// Runs `step`, which uses `sql` and may throw.
template <typename Step>
auto Guarded(soci::session& sql, absl::string_view doing, Step&& step) ->
    typename internal::StatusResult<std::invoke_result_t<Step>>::type {
  int code = 0;
  auto result = StatusFromThrow(absl::StatusCode::kInternal, doing, [&] {
    try {
      return step();
    } catch (const soci::sqlite3_soci_error& error) {
      code = error.result();  // the message alone would not tell a full disk from a bug
      throw;
    }
  });
  if (code == 0) return result;
  const absl::Status& thrown = [&]() -> const absl::Status& {
    if constexpr (std::is_same_v<std::decay_t<decltype(result)>, absl::Status>) {
      return result;
    } else {
      return result.status();
    }
  }();
  return SqliteError(sql, code, thrown.message());
}

}  // namespace graft::store
