// The worker's half of JobStore: claims, heartbeats, appends.
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/jobs/job_rows.h"
#include "core/jobs/job_state.h"
#include "core/jobs/job_store.h"
#include "core/store/transaction.h"

namespace graft::jobs {
namespace {

using soci::into;
using soci::use;
using store::Transaction;

constexpr char kCancelRequestedUrl[] = "graft/cancel_requested";

// Unfinished jobs of the device `:device` that no worker holds at a time.
std::string Unheld(long long now_us) {
  return absl::StrCat("device = :device AND state IN (1, 2, 3, 4, 5, 8) AND lease_until_us <= ", now_us);
}

// A QUEUED or running job that is held by nobody is the next; the transaction behind this asks again.
bool AnyUnheld(soci::session& sql, const std::string& device, long long now_us) {
  int any = 0;
  sql << "SELECT EXISTS (SELECT 1 FROM jobs WHERE " << Unheld(now_us) << ")", use(device), into(any);
  return any != 0;
}

void FinishCancelling(soci::session& sql, JobRow& row, absl::Time now) {
  AddEvent(sql, row, StateChanged{.state = State::kCancelled, .reason = "its worker ended while cancelling"}, now);
  Save(sql, row);
}

absl::Status FinishCancellingUnheld(soci::session& sql, const std::string& device, absl::Time now) {
  ASSIGN_OR_RETURN(std::vector<JobRow> rows,
                   SelectJobs(sql, absl::StrCat(Unheld(absl::ToUnixMicros(now)), " AND state = 8"), device));
  for (JobRow& row : rows) FinishCancelling(sql, row, now);
  return absl::OkStatus();
}

// The job, if `lease` is its newest attempt and it has not ended.
absl::StatusOr<JobRow> SelectLeased(soci::session& sql, const Lease& lease) {
  ASSIGN_OR_RETURN(JobRow row, SelectJob(sql, lease.job_id));
  if (row.job.attempt != lease.attempt || IsTerminal(row.job.state)) return LeaseLost(lease.job_id);
  return row;
}

absl::Status CheckMove(const Job& job, const EventBody& body) {
  const auto* const change = std::get_if<StateChanged>(&body);
  if (IsTerminal(job.state)) return PreconditionFailed(absl::StrCat("jobs/", job.id), "has ended already");
  if (change == nullptr || CanMove(job.state, change->state)) return absl::OkStatus();
  if (job.state == State::kCancelling) return CancelRequested(job.id);
  return PreconditionFailed(absl::StrCat("jobs/", job.id),
                            absl::StrCat("is ", NameOf(job.state), " and cannot become ", NameOf(change->state)));
}

}  // namespace

absl::Status CancelRequested(absl::string_view job) {
  absl::Status status = PreconditionFailed(absl::StrCat("jobs/", job), "cancelling was requested");
  status.SetPayload(kCancelRequestedUrl, absl::Cord(job));
  return status;
}

bool IsCancelRequested(const absl::Status& status) {
  return status.GetPayload(kCancelRequestedUrl).has_value();
}

absl::StatusOr<std::optional<Claim>> JobStore::ClaimNext(absl::string_view device, absl::string_view worker) {
  const std::string on(device), by(worker);
  bool any = false;
  // Idle workers ask often; only a find costs the write lock.
  RETURN_IF_ERROR(database_->Read("look for a job", [&](Transaction& transaction) {
    any = AnyUnheld(transaction.sql(), on, absl::ToUnixMicros(options_.now()));
    return absl::OkStatus();
  }));
  std::optional<Claim> claim;
  if (!any) return claim;
  RETURN_IF_ERROR(database_->Write("claim job", [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    const absl::Time now = options_.now();
    RETURN_IF_ERROR(FinishCancellingUnheld(sql, on, now));
    ASSIGN_OR_RETURN(std::vector<JobRow> rows,
                     SelectJobs(sql, absl::StrCat(Unheld(absl::ToUnixMicros(now)), " ORDER BY number LIMIT 1"), on));
    if (rows.empty()) return absl::OkStatus();
    JobRow& row = rows.front();
    ++row.job.attempt;
    row.lease_until_us = absl::ToUnixMicros(now + options_.lease);
    if (row.job.start_time == absl::InfinitePast()) row.job.start_time = now;
    Save(sql, row);
    sql << "UPDATE jobs SET worker = :worker WHERE number = :number", use(by), use(row.number);
    const Lease lease{.job_id = row.job.id, .attempt = row.job.attempt};
    claim = Claim{.job = std::move(row.job), .lease = lease};
    return absl::OkStatus();
  }));
  return claim;
}

absl::StatusOr<bool> JobStore::Heartbeat(const Lease& lease) {
  bool cancel_requested = false;
  RETURN_IF_ERROR(database_->Write("extend lease", [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    ASSIGN_OR_RETURN(const JobRow row, SelectLeased(sql, lease));
    cancel_requested = row.job.cancel_requested;
    const long long until_us = absl::ToUnixMicros(options_.now() + options_.lease);
    sql << "UPDATE jobs SET lease_until_us = :until WHERE number = :number", use(until_us), use(row.number);
    return absl::OkStatus();
  }));
  return cancel_requested;
}

absl::Status JobStore::Append(const Lease& lease, const std::vector<EventBody>& bodies) {
  return database_->Write("append job events",
                          [&](Transaction& transaction) { return Append(transaction, lease, bodies); });
}

absl::Status JobStore::Append(Transaction& transaction, const Lease& lease, const std::vector<EventBody>& bodies) {
  soci::session& sql = transaction.sql();
  ASSIGN_OR_RETURN(JobRow row, SelectLeased(sql, lease));
  const absl::Time now = options_.now();
  for (const EventBody& body : bodies) {
    RETURN_IF_ERROR(CheckMove(row.job, body));
    AddEvent(sql, row, body, now);
  }
  Save(sql, row);
  return absl::OkStatus();
}

absl::Status JobStore::ReleaseLeases(absl::string_view device) {
  return database_->Write("release leases", [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    const std::string on(device);
    sql << "UPDATE jobs SET lease_until_us = 0 WHERE device = :device AND lease_until_us > 0", use(on);
    return FinishCancellingUnheld(sql, on, options_.now());
  });
}

}  // namespace graft::jobs
