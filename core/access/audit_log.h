// The audit log: who asked for which change, and whether they might. Rows are only ever added; the database refuses
// anything else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/store/database.h"

namespace graft::access {

struct AuditEntry {
  std::string principal;
  std::string action;                       // "graft.v1.ModelService/SetAlias", "token create"
  std::vector<std::string> resources = {};  // as the caller named them
  std::string decision = "allowed";         // or "denied: WHY"
  std::string request_id = "";
  int64_t sequence = 0;                    // given by the log, from 1
  absl::Time time = absl::InfinitePast();  // likewise
};

// Within a transaction that makes the change.
void AppendAudit(store::Transaction& transaction, const AuditEntry& entry);

// Thread-safe.
class AuditLog {
 public:
  explicit AuditLog(store::Database* database) : database_(database) {}

  // On disk when it returns OK.
  absl::Status Append(const AuditEntry& entry);
  // In order, those after `sequence`, at most `limit`.
  absl::StatusOr<std::vector<AuditEntry>> After(int64_t sequence, int limit);

 private:
  store::Database* const database_;
};

}  // namespace graft::access
