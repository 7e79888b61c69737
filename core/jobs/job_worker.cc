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

constexpr char kStopRequestedUrl[] = "graft/stop_requested";

// Unfinished jobs of the device `:device` that no worker holds at a time.
std::string Unheld(long long now_us) {
  return absl::StrCat("device = :device AND state IN (1, 2, 3, 4, 5, 8, 10) AND lease_until_us <= ", now_us);
}

// A job that waits or runs and is held by nobody is the next; the transaction behind this asks again.
bool AnyUnheld(soci::session& sql, const std::string& device, long long now_us) {
  int any = 0;
  sql << "SELECT EXISTS (SELECT 1 FROM jobs WHERE " << Unheld(now_us) << ")", use(device), into(any);
  return any != 0;
}

// What follows the event that made the job PAUSED, if resuming was requested before.
void QueueAgainIfAsked(soci::session& sql, JobRow& row, absl::Time now) {
  if (row.job.state == State::kPaused && row.resume_requested) QueueAgain(sql, row, now);
}

void FinishStopping(soci::session& sql, JobRow& row, absl::Time now) {
  if (row.job.state == State::kCancelling) {
    AddEvent(sql, row, StateChanged{.state = State::kCancelled, .reason = "its worker ended while cancelling"}, now);
  } else {
    AddEvent(sql, row, StateChanged{.state = State::kPaused, .reason = "its worker ended while pausing"}, now);
  }
  QueueAgainIfAsked(sql, row, now);
  Save(sql, row);
}

absl::Status FinishStoppingUnheld(soci::session& sql, const std::string& device, absl::Time now) {
  ASSIGN_OR_RETURN(std::vector<JobRow> rows,
                   SelectJobs(sql, absl::StrCat(Unheld(absl::ToUnixMicros(now)), " AND state IN (8, 10)"), device));
  for (JobRow& row : rows) FinishStopping(sql, row, now);
  return absl::OkStatus();
}

// Progress alone: another attempt learns from the rest what was decided and done.
void RemoveOldProgress(soci::session& sql, const JobRow& row, int max_events) {
  const int last_removed = row.job.last_sequence - max_events;
  if (last_removed <= 0) return;
  sql << "DELETE FROM job_events WHERE job_number = :job AND sequence <= :last AND body LIKE '{\"feature_progress\"%'",
      use(row.number), use(last_removed);
}

Wish WishOf(const Job& job) {
  if (job.cancel_requested) return Wish::kCancel;
  if (job.state == State::kPausing) return Wish::kPause;
  return job.finish_requested ? Wish::kFinish : Wish::kNone;
}

Failure TooManyDeaths(const Job& job) {
  const std::string when = job.progress.epoch > 0 ? absl::StrCat(", after epoch ", job.progress.epoch) : "";
  return {
      .type = FailureType::kWorker,
      .message = absl::StrCat("its worker died in ", job.deaths, " of ", job.attempt, " attempts, the last time while ",
                              NameOf(job.state), when, "; the server's log says how: look for 'job ", job.id,
                              "' and 'worker device=", job.spec.device, "'")};
}

// True if it was one too many: the job has FAILED.
bool CountDeath(soci::session& sql, JobRow& row, int max_retries, absl::Time now) {
  if (!row.WorkerDied(now)) return false;
  ++row.job.deaths;
  if (row.job.deaths <= max_retries) return false;
  AddEvent(sql, row, StateChanged{.state = State::kFailed, .failure = TooManyDeaths(row.job)}, now);
  Save(sql, row);
  return true;
}

// The job, if `lease` is its newest attempt and it has neither ended nor paused.
absl::StatusOr<JobRow> SelectLeased(soci::session& sql, const Lease& lease) {
  ASSIGN_OR_RETURN(JobRow row, SelectJob(sql, lease.job_id));
  const bool over = IsTerminal(row.job.state) || row.job.state == State::kPaused || row.lease_until_us == 0;
  if (row.job.attempt != lease.attempt || over) return LeaseLost(lease.job_id);
  return row;
}

absl::Status CheckMove(const Job& job, const EventBody& body) {
  const auto* const change = std::get_if<StateChanged>(&body);
  if (IsTerminal(job.state)) return PreconditionFailed(absl::StrCat("jobs/", job.id), "has ended already");
  if (change == nullptr || CanMove(job.state, change->state)) return absl::OkStatus();
  if (job.state == State::kCancelling || job.state == State::kPausing) return StopRequested(job.id, job.state);
  return PreconditionFailed(absl::StrCat("jobs/", job.id),
                            absl::StrCat("is ", NameOf(job.state), " and cannot become ", NameOf(change->state)));
}

}  // namespace

absl::Status StopRequested(absl::string_view job, State state) {
  absl::Status status = PreconditionFailed(absl::StrCat("jobs/", job), absl::StrCat("is ", NameOf(state)));
  status.SetPayload(kStopRequestedUrl, absl::Cord(job));
  return status;
}

bool IsStopRequested(const absl::Status& status) {
  return status.GetPayload(kStopRequestedUrl).has_value();
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
    RETURN_IF_ERROR(FinishStoppingUnheld(sql, on, now));
    const std::string next = absl::StrCat(Unheld(absl::ToUnixMicros(now)), " ORDER BY ", kOrderOfQueue, " LIMIT 1");
    std::vector<JobRow> rows;
    bool after_death = false;
    do {
      ASSIGN_OR_RETURN(rows, SelectJobs(sql, next, on));
      after_death = !rows.empty() && rows.front().WorkerDied(now);
    } while (!rows.empty() && CountDeath(sql, rows.front(), options_.max_retries, now));
    if (rows.empty()) return absl::OkStatus();
    JobRow& row = rows.front();
    ++row.job.attempt;
    row.lease_until_us = absl::ToUnixMicros(now + options_.lease);
    row.seen = now;
    if (row.job.start_time == absl::InfinitePast()) row.job.start_time = now;
    Save(sql, row);
    sql << "UPDATE jobs SET worker = :worker WHERE number = :number", use(by), use(row.number);
    const Lease lease{.job_id = row.job.id, .attempt = row.job.attempt};
    claim = Claim{.job = std::move(row.job), .lease = lease, .after_death = after_death};
    return absl::OkStatus();
  }));
  return claim;
}

absl::StatusOr<Wish> JobStore::WishFor(const Lease& lease) {
  Wish wish = Wish::kNone;
  RETURN_IF_ERROR(database_->Read("look at job", [&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const JobRow row, SelectLeased(transaction.sql(), lease));
    wish = WishOf(row.job);
    return absl::OkStatus();
  }));
  return wish;
}

absl::StatusOr<Wish> JobStore::Heartbeat(const Lease& lease) {
  Wish wish = Wish::kNone;
  RETURN_IF_ERROR(database_->Write("extend lease", [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    ASSIGN_OR_RETURN(JobRow row, SelectLeased(sql, lease));
    wish = WishOf(row.job);
    const absl::Time now = options_.now();
    row.SeeWorker(now);
    row.lease_until_us = absl::ToUnixMicros(now + options_.lease);
    Save(sql, row);
    return absl::OkStatus();
  }));
  return wish;
}

absl::Status JobStore::GiveBack(const Lease& lease) {
  return database_->Write("give job back", [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    ASSIGN_OR_RETURN(JobRow row, SelectLeased(sql, lease));
    row.SeeWorker(options_.now());
    row.lease_until_us = 0;
    Save(sql, row);
    return absl::OkStatus();
  });
}

absl::Status JobStore::Append(const Lease& lease, const std::vector<EventBody>& bodies) {
  return database_->Write("append job events",
                          [&](Transaction& transaction) { return Append(transaction, lease, bodies); });
}

absl::Status JobStore::Append(Transaction& transaction, const Lease& lease, const std::vector<EventBody>& bodies) {
  soci::session& sql = transaction.sql();
  ASSIGN_OR_RETURN(JobRow row, SelectLeased(sql, lease));
  const absl::Time now = options_.now();
  row.SeeWorker(now);
  for (const EventBody& body : bodies) {
    RETURN_IF_ERROR(CheckMove(row.job, body));
    AddEvent(sql, row, body, now);
  }
  QueueAgainIfAsked(sql, row, now);
  Save(sql, row);
  RemoveOldProgress(sql, row, options_.max_events_per_job);
  return absl::OkStatus();
}

absl::Status JobStore::ReleaseLeases(absl::string_view device, WorkerEnd end) {
  return database_->Write("release leases", [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    const std::string on(device);
    const long long over_us = end == WorkerEnd::kDied ? 1 : 0;  // 1: long expired, but not given back
    sql << "UPDATE jobs SET lease_until_us = :over WHERE device = :device AND lease_until_us > 1", use(over_us),
        use(on);
    return FinishStoppingUnheld(sql, on, options_.now());
  });
}

}  // namespace graft::jobs
