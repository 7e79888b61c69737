#include "core/access/audit_log.h"

#include <soci/soci.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "core/store/transaction.h"

namespace graft::access {
namespace {

using soci::into;
using soci::use;
using store::Transaction;

constexpr size_t kMaxTextBytes = 1024;  // of what callers write

std::string Cut(std::string text) {
  if (text.size() > kMaxTextBytes) text.resize(kMaxTextBytes);
  return text;
}

}  // namespace

void AppendAudit(Transaction& transaction, const AuditEntry& entry) {
  const long long now = absl::ToUnixMicros(absl::Now());
  const std::string resources = Cut(absl::StrJoin(entry.resources, "\n")), decision = Cut(entry.decision);
  transaction.sql() << "INSERT INTO audit_log (time_us, principal, action, resources, decision, request_id) "
                       "VALUES (:now, :principal, :action, :resources, :decision, :request_id)",
      use(now), use(entry.principal), use(entry.action), use(resources), use(decision), use(entry.request_id);
}

absl::Status AuditLog::Append(const AuditEntry& entry) {
  return database_->Write("append to audit log", [&](Transaction& transaction) {
    AppendAudit(transaction, entry);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<AuditEntry>> AuditLog::After(int64_t sequence, int limit) {
  std::vector<AuditEntry> entries;
  RETURN_IF_ERROR(database_->Read("read audit log", [&](Transaction& transaction) {
    AuditEntry entry;
    std::string resources;
    long long number = 0, time = 0;
    const long long after = sequence;
    soci::statement select =
        (transaction.sql().prepare << "SELECT sequence, time_us, principal, action, resources, decision, request_id "
                                      "FROM audit_log WHERE sequence > :after ORDER BY sequence LIMIT :limit",
         use(after), use(limit), into(number), into(time), into(entry.principal), into(entry.action), into(resources),
         into(entry.decision), into(entry.request_id));
    for (select.execute(); select.fetch();) {
      entry.sequence = number;
      entry.time = absl::FromUnixMicros(time);
      entry.resources = absl::StrSplit(resources, '\n', absl::SkipEmpty());
      entries.push_back(entry);
    }
    return absl::OkStatus();
  }));
  return entries;
}

}  // namespace graft::access
