#include "core/jobs/job_store.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "core/jobs/job_rows.h"
#include "core/jobs/job_state.h"
#include "core/jobs/train_spec.h"
#include "core/store/transaction.h"

namespace graft::jobs {
namespace {

using soci::into;
using soci::use;
using store::Transaction;

constexpr size_t kMaxRequestIdBytes = 128;
constexpr absl::Duration kQueueRetryDelay = absl::Seconds(30);

struct Submitted {
  std::string job, principal;
};

std::optional<Submitted> FindRequest(soci::session& sql, const std::string& request_id) {
  Submitted known;
  sql << "SELECT id, principal FROM jobs WHERE request_id = :request_id", use(request_id), into(known.job),
      into(known.principal);
  return sql.got_data() ? std::optional<Submitted>(known) : std::nullopt;
}

absl::Status CheckQueue(soci::session& sql, const JobStoreOptions& options, const std::string& principal) {
  int all = 0, own = 0;
  // Paused ones will wait again (QUEUED, PAUSING, PAUSED).
  sql << "SELECT COALESCE(SUM(state = 1), 0), COALESCE(SUM(principal = :principal), 0) FROM jobs "
         "WHERE state IN (1, 10, 11)",
      use(principal), into(all), into(own);
  if (all >= options.max_queued) {
    return RetryLater(absl::StatusCode::kResourceExhausted,
                      absl::StrCat("the queue is full: ", options.max_queued, " jobs wait; try again later"),
                      kQueueRetryDelay);
  }
  if (principal.empty() || own < options.max_queued_per_principal) return absl::OkStatus();
  return RetryLater(absl::StatusCode::kResourceExhausted,
                    absl::StrCat(own, " jobs of ", principal,
                                 " wait or are paused, the most that a principal may have; try again "
                                 "later or cancel one"),
                    kQueueRetryDelay);
}

absl::StatusOr<Job> Repeat(soci::session& sql, const Submitted& known, const TrainSpec& requested,
                           const std::string& request_id, const std::string& principal) {
  if (known.principal != principal) {
    return ResourceExists("request", request_id, "somebody else used it; use a new request_id");
  }
  ASSIGN_OR_RETURN(JobRow row, SelectJob(sql, known.job));
  if (row.job.requested == requested) return std::move(row.job);
  return ResourceExists("request", request_id,
                        absl::StrCat("it was used for job ", known.job, " with another spec; use a new request_id"));
}

void Insert(soci::session& sql, const std::string& id, const std::string& request_id, const TrainSpec& requested,
            const TrainSpec& resolved, const std::string& principal, absl::Time now) {
  soci::indicator has_request_id = request_id.empty() ? soci::i_null : soci::i_ok;
  const int state = static_cast<int>(State::kQueued);
  const long long now_us = absl::ToUnixMicros(now);
  const int priority = PriorityOf(resolved);
  const std::string requested_text = ToJson(requested), resolved_text = ToJson(resolved);
  sql << "INSERT INTO jobs (id, request_id, state, device, priority, requested, spec, create_time_us, principal) "
         "VALUES (:id, :request_id, :state, :device, :priority, :requested, :spec, :now, :principal)",
      use(id), use(request_id, has_request_id), use(state), use(resolved.device), use(priority), use(requested_text),
      use(resolved_text), use(now_us), use(principal);
}

absl::StatusOr<Job> SelectPlainJob(soci::session& sql, const std::string& id) {
  ASSIGN_OR_RETURN(JobRow row, SelectJob(sql, id));
  return std::move(row.job);
}

absl::Status NotPossible(const Job& job, absl::string_view what) {
  return PreconditionFailed(absl::StrCat("jobs/", job.id),
                            absl::StrCat(IsTerminal(job.state) ? "has ended already (" : "is being cancelled (",
                                         NameOf(job.state), ") and cannot be ", what));
}

struct StopMoves {
  State stopping, stopped;
  const char* reason;
};

// A job that a worker holds is stopped by that. Nobody would finish the stopping of another, so it stops here.
void Stop(soci::session& sql, JobRow& row, const StopMoves& moves, absl::Time now) {
  const bool held = row.HasLease(now);
  if (held || !CanMove(row.job.state, moves.stopped)) {
    AddEvent(sql, row, StateChanged{.state = moves.stopping, .reason = moves.reason}, now);
  }
  if (!held) AddEvent(sql, row, StateChanged{.state = moves.stopped, .reason = moves.reason}, now);
}

// One fetched row of job_events.
absl::StatusOr<Event> MakeEvent(int sequence, long long time_us, const std::string& body) {
  Event event{.sequence = sequence, .time = absl::FromUnixMicros(time_us)};
  ASSIGN_OR_RETURN(event.body, EventBodyFromJson(body));
  return event;
}

}  // namespace

absl::StatusOr<Job> JobStore::Submit(const TrainSpec& requested, const TrainSpec& resolved,
                                     const std::string& request_id, const std::string& principal) {
  if (request_id.size() > kMaxRequestIdBytes) {
    return InvalidField("request_id", absl::StrCat("has ", request_id.size(), " bytes, at most ", kMaxRequestIdBytes));
  }
  Job job;
  RETURN_IF_ERROR(database_->Write("submit job", [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    if (!request_id.empty()) {
      if (const auto known = FindRequest(sql, request_id)) {
        ASSIGN_OR_RETURN(job, Repeat(sql, *known, requested, request_id, principal));
        return absl::OkStatus();
      }
    }
    RETURN_IF_ERROR(CheckQueue(sql, options_, principal));
    const std::string id = NewId();
    const absl::Time now = options_.now();
    Insert(sql, id, request_id, requested, resolved, principal, now);
    ASSIGN_OR_RETURN(JobRow row, SelectJob(sql, id));
    AddEvent(sql, row, StateChanged{.state = State::kQueued}, now);
    Save(sql, row);
    job = std::move(row.job);
    return absl::OkStatus();
  }));
  return job;
}

absl::StatusOr<Job> JobStore::Get(absl::string_view id) {
  Job job;
  RETURN_IF_ERROR(database_->Read("get job", [&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(job, SelectPlainJob(transaction.sql(), std::string(id)));
    return absl::OkStatus();
  }));
  return job;
}

absl::StatusOr<std::vector<Job>> JobStore::List(absl::string_view before_id, int limit) {
  std::vector<Job> jobs;
  RETURN_IF_ERROR(database_->Read("list jobs", [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    const std::string before(before_id);
    if (!before.empty() && !SelectJob(sql, before).ok()) {
      return InvalidField("page_token", "names no job; take it from the last response or leave it empty");
    }
    ASSIGN_OR_RETURN(std::vector<JobRow> rows,
                     SelectJobs(sql,
                                absl::StrCat("number < COALESCE((SELECT number FROM jobs WHERE id = :before), "
                                             "9223372036854775807) ORDER BY number DESC LIMIT ",
                                             limit),
                                before));
    for (JobRow& row : rows) jobs.push_back(std::move(row.job));
    return absl::OkStatus();
  }));
  return jobs;
}

absl::StatusOr<std::map<State, int>> JobStore::CountByState() {
  std::map<State, int> counts;
  RETURN_IF_ERROR(database_->Read("count jobs", [&](Transaction& transaction) {
    int state = 0, count = 0;
    soci::statement select =
        (transaction.sql().prepare << "SELECT state, COUNT(*) FROM jobs GROUP BY state", into(state), into(count));
    for (select.execute(); select.fetch();) counts[static_cast<State>(state)] = count;
    return absl::OkStatus();
  }));
  return counts;
}

absl::StatusOr<std::vector<Job>> JobStore::Select(absl::string_view doing, const std::string& condition,
                                                  const std::string& parameter) {
  std::vector<Job> jobs;
  RETURN_IF_ERROR(database_->Read(doing, [&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(std::vector<JobRow> rows, SelectJobs(transaction.sql(), condition, parameter));
    for (JobRow& row : rows) jobs.push_back(std::move(row.job));
    return absl::OkStatus();
  }));
  return jobs;
}

absl::StatusOr<std::vector<Job>> JobStore::Unfinished() {
  // No id is empty; SelectJobs takes one parameter.
  return Select("list unfinished jobs",
                absl::StrCat("state NOT IN (6, 7, 9) AND id <> :nothing ORDER BY ", kOrderOfQueue), "");
}

absl::StatusOr<std::vector<Job>> JobStore::LastSucceeded(absl::string_view device, int limit) {
  return Select("list jobs that succeeded",
                absl::StrCat("state = 6 AND device = :device ORDER BY number DESC LIMIT ", limit), std::string(device));
}

absl::StatusOr<Job> JobStore::Change(absl::string_view doing, absl::string_view id,
                                     const std::function<absl::Status(soci::session&, JobRow&, absl::Time)>& change) {
  Job job;
  RETURN_IF_ERROR(database_->Write(doing, [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    ASSIGN_OR_RETURN(JobRow row, SelectJob(sql, id));
    RETURN_IF_ERROR(change(sql, row, options_.now()));
    Save(sql, row);
    ASSIGN_OR_RETURN(job, SelectPlainJob(sql, row.job.id));
    return absl::OkStatus();
  }));
  return job;
}

absl::StatusOr<Job> JobStore::RequestCancel(absl::string_view id) {
  return Change("cancel job", id, [](soci::session& sql, JobRow& row, absl::Time now) {
    const State state = row.job.state;
    if (state == State::kSucceeded || state == State::kFailed) return NotPossible(row.job, "cancelled");
    if (state == State::kCancelling || state == State::kCancelled) return absl::OkStatus();
    row.job.cancel_requested = true;
    Stop(sql, row, {State::kCancelling, State::kCancelled, "cancelling was requested"}, now);
    return absl::OkStatus();
  });
}

absl::StatusOr<Job> JobStore::RequestFinish(absl::string_view id) {
  return Change("finish job", id, [](soci::session& sql, JobRow& row, absl::Time now) {
    Job& job = row.job;
    const bool obeyed = job.state == State::kSucceeded || !(IsTerminal(job.state) || job.state == State::kCancelling);
    if (job.finish_requested && obeyed) return absl::OkStatus();
    if (IsTerminal(job.state) || job.state == State::kCancelling) return NotPossible(job, "finished early");
    if (job.progress.epoch == 0 && job.progress.trial == 0) {
      return PreconditionFailed(absl::StrCat("jobs/", job.id),
                                "has finished no epoch or trial yet, so there is no best one to keep; wait for it, or "
                                "cancel");
    }
    job.finish_requested = true;
    AddEvent(sql, row, Message{"keeping the best so far was requested"}, now);
    row.resume_requested = job.state == State::kPausing;
    if (job.state == State::kPaused) QueueAgain(sql, row, now);
    return absl::OkStatus();
  });
}

absl::StatusOr<Job> JobStore::RequestPause(absl::string_view id) {
  return Change("pause job", id, [](soci::session& sql, JobRow& row, absl::Time now) {
    const State state = row.job.state;
    if (IsTerminal(state) || state == State::kCancelling) return NotPossible(row.job, "paused");
    row.resume_requested = false;
    if (state == State::kPausing || state == State::kPaused) return absl::OkStatus();
    Stop(sql, row, {State::kPausing, State::kPaused, "pausing was requested"}, now);
    return absl::OkStatus();
  });
}

absl::StatusOr<Job> JobStore::RequestResume(absl::string_view id) {
  return Change("resume job", id, [](soci::session& sql, JobRow& row, absl::Time now) {
    const State state = row.job.state;
    if (IsTerminal(state) || state == State::kCancelling) return NotPossible(row.job, "resumed");
    if (state == State::kPausing) row.resume_requested = true;
    if (state == State::kPaused) QueueAgain(sql, row, now);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<Event>> JobStore::Events(absl::string_view id, int after_sequence, int limit) {
  std::vector<Event> events;
  RETURN_IF_ERROR(database_->Read("read job events", [&](Transaction& transaction) -> absl::Status {
    soci::session& sql = transaction.sql();
    const std::string job_id(id);
    long long number = 0;
    sql << "SELECT number FROM jobs WHERE id = :id", use(job_id), into(number);
    if (!sql.got_data()) return ResourceNotFound("job", job_id);
    int sequence = 0;
    long long time_us = 0;
    std::string body;
    soci::statement select = (sql.prepare << "SELECT sequence, time_us, body FROM job_events WHERE job_number = :job "
                                             "AND sequence > :after ORDER BY sequence LIMIT :limit",
                              use(number), use(after_sequence), use(limit), into(sequence), into(time_us), into(body));
    for (select.execute(); select.fetch();) {
      ASSIGN_OR_RETURN(Event event, MakeEvent(sequence, time_us, body));
      events.push_back(std::move(event));
    }
    return absl::OkStatus();
  }));
  return events;
}

absl::StatusOr<std::vector<FeedItem>> JobStore::FeedAfter(int64_t position, int limit) {
  std::vector<FeedItem> items;
  RETURN_IF_ERROR(database_->Read("read change feed", [&](Transaction& transaction) -> absl::Status {
    const long long after = position;
    long long at = 0, time_us = 0;
    int sequence = 0;
    std::string id, body;
    soci::statement select = (transaction.sql().prepare << "SELECT position, id, sequence, time_us, body FROM "
                                                           "job_events JOIN jobs ON job_number = number WHERE "
                                                           "position > :after ORDER BY position LIMIT :limit",
                              use(after), use(limit), into(at), into(id), into(sequence), into(time_us), into(body));
    for (select.execute(); select.fetch();) {
      ASSIGN_OR_RETURN(Event event, MakeEvent(sequence, time_us, body));
      items.push_back({at, id, std::move(event)});
    }
    return absl::OkStatus();
  }));
  return items;
}

absl::StatusOr<int64_t> JobStore::FeedEnd() {
  long long end = 0;
  RETURN_IF_ERROR(database_->Read("read end of change feed", [&end](Transaction& transaction) {
    transaction.sql() << "SELECT COALESCE(MAX(position), 0) FROM job_events", into(end);
    return absl::OkStatus();
  }));
  return static_cast<int64_t>(end);
}

absl::StatusOr<int64_t> JobStore::TrimEvents() {
  constexpr int kAtOnce = 5000;  // no other writer waits long
  constexpr int64_t kMost = 60 * kAtOnce;
  const long long before = absl::ToUnixMicros(options_.now() - options_.max_event_age);
  int64_t removed = 0;
  for (long long rows = kAtOnce; rows == kAtOnce && removed < kMost; removed += rows) {
    RETURN_IF_ERROR(database_->Write("trim job events", [&](Transaction& transaction) {
      soci::statement statement =
          (transaction.sql().prepare << "DELETE FROM job_events WHERE position IN (SELECT position FROM jobs JOIN "
                                        "job_events ON job_number = number WHERE state IN (6, 7, 9) AND end_time_us < "
                                        ":before AND sequence < last_sequence LIMIT "
                                     << kAtOnce << ")",
           use(before));
      statement.execute(true);
      rows = statement.get_affected_rows();
      return absl::OkStatus();
    }));
  }
  return removed;
}

}  // namespace graft::jobs
