#include "core/jobs/job_rows.h"

#include <soci/soci.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"

namespace graft::jobs {
namespace {

using soci::into;
using soci::use;

constexpr size_t kMaxTextBytes = 4096;

absl::Time TimeOf(long long micros) {
  return micros == 0 ? absl::InfinitePast() : absl::FromUnixMicros(micros);
}

long long MicrosOf(absl::Time time) {
  return time == absl::InfinitePast() ? 0 : absl::ToUnixMicros(time);
}

// Cuts before a character of UTF-8, not inside.
void CutText(std::string& text) {
  if (text.size() <= kMaxTextBytes) return;
  size_t end = kMaxTextBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
}

struct Cut {
  void operator()(StateChanged& change) const {
    CutText(change.reason);
    if (change.failure) CutText(change.failure->message);
  }
  void operator()(Message& message) const { CutText(message.text); }
  void operator()(FeatureProgress&) const {}
  void operator()(FeaturesReady&) const {}
  void operator()(EpochDone&) const {}
  void operator()(PrecisionChosen&) const {}
  void operator()(MemoryReduced& reduced) const { CutText(reduced.reason); }
  void operator()(TrialDone&) const {}
};

struct Apply {
  Job& job;
  absl::Time now;

  void operator()(const StateChanged& change) const {
    job.state = change.state;
    // The epochs of earlier attempts still count: their checkpoint is there.
    if (change.state == State::kPreparing) job.progress.images_done = job.progress.images_total = 0;
    if (change.state == State::kPreparing || change.state == State::kPaused) job.progress.seconds_left = 0;
    if (!IsTerminal(change.state)) return;
    job.end_time = now;
    job.progress.seconds_left = 0;
    job.failure = change.failure;
    job.result = change.result;
  }
  void operator()(const FeatureProgress& progress) const {
    job.progress.images_done = progress.images_done;
    job.progress.images_total = progress.images_total;
    job.progress.seconds_left = progress.seconds_left;
    job.progress.time = now;
  }
  void operator()(const FeaturesReady& ready) const {
    job.progress.images_done = job.progress.images_total = ready.images_computed + ready.images_from_cache;
    job.progress.seconds_left = 0;
  }
  void operator()(const EpochDone& epoch) const {
    job.progress.epoch = epoch.epoch;
    job.progress.epochs = epoch.epochs;
    job.progress.seconds_left = epoch.seconds_left;
    job.progress.time = now;
  }
  void operator()(const Message&) const {}
  // In f32 training starts over, its trials as well.
  void operator()(const PrecisionChosen& chosen) const {
    if (chosen.report.precision == "f32") job.progress.trial = 0;
  }
  void operator()(const MemoryReduced&) const {}
  void operator()(const TrialDone& done) const {
    ++job.progress.trial;
    job.progress.trials = done.trials;
    job.progress.time = now;
  }
};

}  // namespace

const char kJobColumns[] =
    "number, create_time_us, start_time_us, end_time_us, lease_until_us, state, last_sequence, attempt, "
    "CASE WHEN state = 1 THEN (SELECT COUNT(*) FROM jobs AS before WHERE before.state = 1 AND "
    "before.device = jobs.device AND (before.priority > jobs.priority OR (before.priority = jobs.priority AND "
    "before.number <= jobs.number))) ELSE 0 END, "
    "worked_us, seen_us, cancel_requested, finish_requested, resume_requested, deaths, id, requested, spec, progress, "
    "failure, result";

const char kOrderOfQueue[] = "state = 1, priority DESC, number";

void JobRow::SeeWorker(absl::Time now) {
  // A clock that was set back must not undo work.
  if (seen != absl::InfinitePast()) job.worked += std::max(absl::ZeroDuration(), now - seen);
  seen = now;
}

absl::StatusOr<JobRow> JobColumns::Parse() const {
  JobRow row{.number = number, .lease_until_us = lease_until_us, .seen = TimeOf(seen_us)};
  Job& job = row.job;
  if (state < static_cast<int>(State::kQueued) || state > static_cast<int>(State::kPaused)) {
    return absl::DataLossError(absl::StrCat("job ", id, " is stored with the unknown state ", state));
  }
  job.id = id;
  job.state = static_cast<State>(state);
  ASSIGN_OR_RETURN(job.requested, TrainSpecFromJson(requested));
  ASSIGN_OR_RETURN(job.spec, TrainSpecFromJson(spec));
  ASSIGN_OR_RETURN(job.progress, ProgressFromJson(progress));
  if (!failure.empty()) {
    ASSIGN_OR_RETURN(job.failure, FailureFromJson(failure));
  }
  if (!result.empty()) {
    ASSIGN_OR_RETURN(job.result, ResultFromJson(result));
  }
  job.create_time = TimeOf(create_time_us);
  job.start_time = TimeOf(start_time_us);
  job.end_time = TimeOf(end_time_us);
  job.last_sequence = last_sequence;
  job.attempt = attempt;
  job.queue_position = queue_position;
  job.worked = absl::Microseconds(worked_us);
  job.cancel_requested = cancel_requested != 0;
  job.finish_requested = finish_requested != 0;
  job.deaths = deaths;
  row.resume_requested = resume_requested != 0;
  return row;
}

absl::StatusOr<std::vector<JobRow>> SelectJobs(soci::session& sql, const std::string& condition,
                                               const std::string& parameter) {
  JobColumns row;
  soci::statement select =
      (sql.prepare << "SELECT " << kJobColumns << " FROM jobs WHERE " << condition, use(parameter), into(row.number),
       into(row.create_time_us), into(row.start_time_us), into(row.end_time_us), into(row.lease_until_us),
       into(row.state), into(row.last_sequence), into(row.attempt), into(row.queue_position), into(row.worked_us),
       into(row.seen_us), into(row.cancel_requested), into(row.finish_requested), into(row.resume_requested),
       into(row.deaths), into(row.id), into(row.requested), into(row.spec), into(row.progress), into(row.failure),
       into(row.result));
  std::vector<JobRow> rows;
  for (select.execute(); select.fetch();) {
    ASSIGN_OR_RETURN(JobRow parsed, row.Parse());
    rows.push_back(std::move(parsed));
  }
  return rows;
}

absl::StatusOr<JobRow> SelectJob(soci::session& sql, absl::string_view id) {
  ASSIGN_OR_RETURN(std::vector<JobRow> rows, SelectJobs(sql, "id = :id", std::string(id)));
  if (rows.empty()) return ResourceNotFound("job", id);
  return std::move(rows.front());
}

void AddEvent(soci::session& sql, JobRow& row, EventBody body, absl::Time now) {
  std::visit(Cut{}, body);
  std::visit(Apply{row.job, now}, body);
  const int sequence = ++row.job.last_sequence;
  const long long now_us = absl::ToUnixMicros(now);
  const std::string text = ToJson(body);
  sql << "INSERT INTO job_events (job_number, sequence, time_us, body) VALUES (:job, :sequence, :time, :body)",
      use(row.number), use(sequence), use(now_us), use(text);
}

void QueueAgain(soci::session& sql, JobRow& row, absl::Time now) {
  row.resume_requested = false;
  row.lease_until_us = 0;
  AddEvent(sql, row, StateChanged{.state = State::kQueued, .reason = "resuming was requested"}, now);
}

void Save(soci::session& sql, const JobRow& row) {
  const Job& job = row.job;
  const int state = static_cast<int>(job.state);
  const int cancel_requested = job.cancel_requested ? 1 : 0;
  const long long start_us = MicrosOf(job.start_time), end_us = MicrosOf(job.end_time);
  const long long worked_us = absl::ToInt64Microseconds(job.worked), seen_us = MicrosOf(row.seen);
  const int finish_requested = job.finish_requested ? 1 : 0;
  const int resume_requested = row.resume_requested ? 1 : 0;
  // The lease ends with the job, and where it waits.
  const bool unheld = IsTerminal(job.state) || job.state == State::kPaused;
  const long long lease_until_us = unheld ? 0 : row.lease_until_us;
  const std::string progress = ToJson(job.progress);
  const std::string failure = job.failure ? ToJson(*job.failure) : "";
  const std::string result = job.result ? ToJson(*job.result) : "";
  sql << "UPDATE jobs SET state = :state, start_time_us = :start, end_time_us = :end, progress = :progress, "
         "last_sequence = :last, attempt = :attempt, lease_until_us = :lease, worked_us = :worked, seen_us = :seen, "
         "cancel_requested = :cancel, "
         "finish_requested = :finish, resume_requested = :resume, deaths = :deaths, failure = :failure, result = "
         ":result WHERE number = :number",
      use(state), use(start_us), use(end_us), use(progress), use(job.last_sequence), use(job.attempt),
      use(lease_until_us), use(worked_us), use(seen_us), use(cancel_requested), use(finish_requested),
      use(resume_requested), use(job.deaths), use(failure), use(result), use(row.number);
}

}  // namespace graft::jobs
