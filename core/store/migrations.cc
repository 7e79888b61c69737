#include "core/store/migrations.h"

#include <soci/soci.h>

#include <algorithm>
#include <set>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/store/connection.h"

namespace graft::store {
namespace {

constexpr char kCreateTable[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "  version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)";

absl::StatusOr<std::set<int>> Applied(soci::session& sql) {
  return Guarded(sql, "read schema version", [&sql] {
    std::set<int> versions;
    int version = 0;
    soci::statement select = (sql.prepare << "SELECT version FROM schema_migrations", soci::into(version));
    for (select.execute(); select.fetch();) versions.insert(version);
    return versions;
  });
}

absl::Status CheckAllKnown(const std::set<int>& applied, absl::Span<const Migration> migrations) {
  for (int version : applied) {
    const auto is_it = [version](const Migration& migration) { return migration.version == version; };
    if (std::none_of(migrations.begin(), migrations.end(), is_it)) {
      return PreconditionFailed(
          "database", absl::StrCat("made by a newer Graft (it has schema version ", version,
                                   ", this program knows up to ", migrations.empty() ? 0 : migrations.back().version,
                                   "); start the newer program on this data folder"));
    }
  }
  return absl::OkStatus();
}

absl::Status Record(soci::session& sql, const Migration& migration) {
  return Guarded(sql, "record migration", [&] {
    const std::string name = migration.name;
    const std::string now = absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone());
    sql << "INSERT INTO schema_migrations (version, name, applied_at) VALUES (:version, :name, :now)",
        soci::use(migration.version), soci::use(name), soci::use(now);
    return absl::OkStatus();
  });
}

// Another process may have applied it since `applied` was read, so the transaction asks again.
absl::Status ApplyOne(soci::session& sql, const Migration& migration) {
  RETURN_IF_ERROR(BeginImmediate(sql));
  absl::Cleanup roll_back = [&sql] { RollBack(sql); };
  ASSIGN_OR_RETURN(const std::set<int> applied, Applied(sql));
  if (applied.contains(migration.version)) return absl::OkStatus();
  RETURN_IF_ERROR(Execute(sql, migration.sql));
  RETURN_IF_ERROR(Record(sql, migration));
  RETURN_IF_ERROR(Execute(sql, "COMMIT"));
  std::move(roll_back).Cancel();
  return absl::OkStatus();
}

}  // namespace

absl::Status Migrate(soci::session& sql, absl::Span<const Migration> migrations) {
  RETURN_IF_ERROR(Execute(sql, kCreateTable));
  ASSIGN_OR_RETURN(const std::set<int> applied, Applied(sql));
  RETURN_IF_ERROR(CheckAllKnown(applied, migrations));
  for (const Migration& migration : migrations) {
    if (applied.contains(migration.version)) continue;
    absl::Status status = ApplyOne(sql, migration);
    if (!status.ok()) {
      return WithContext(status, absl::StrCat("apply migration ", migration.version, "_", migration.name));
    }
  }
  return absl::OkStatus();
}

}  // namespace graft::store
