// The numbered steps that bring a database to this program's schema.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace soci {
class session;
}

namespace graft::store {

struct Migration {
  int version;
  const char* name;
  const char* sql;  // any number of statements
};

// core/store/migrations/*.sql, by version.
const std::vector<Migration>& CompiledMigrations();

// Applies those that the database lacks, in order, each in a transaction of its own with its row in
// schema_migrations(version, name, applied_at). Safe when several processes do it at once.
// FailedPrecondition, before any change, if the database has a version that is not among `migrations`.
absl::Status Migrate(soci::session& sql, absl::Span<const Migration> migrations);

}  // namespace graft::store
