// The rows of jobs and job_events. For this folder's .cc files; functions that take a session throw what SOCI throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/jobs/job.h"

namespace soci {
class session;
}

namespace graft::jobs {

std::string ToJson(const Failure& failure);
std::string ToJson(const Progress& progress);
absl::StatusOr<Failure> FailureFromJson(absl::string_view text);
absl::StatusOr<Progress> ProgressFromJson(absl::string_view text);

struct JobRow {
  long long number = 0;
  long long lease_until_us = 0;
  absl::Time seen = absl::InfinitePast();  // when its worker last wrote
  bool resume_requested = false;           // PAUSING: to be queued again when paused
  Job job;

  bool HasLease(absl::Time now) const { return lease_until_us > absl::ToUnixMicros(now); }
  // Its last attempt neither ended the job nor gave it back.
  bool WorkerDied(absl::Time now) const { return lease_until_us != 0 && !HasLease(now); }
  // Notes that its worker is alive: the time since it last wrote was work.
  void SeeWorker(absl::Time now);
};

// What a SELECT of `kJobColumns` yields; `Parse` makes a row of the values fetched last.
struct JobColumns {
  long long number, create_time_us, start_time_us, end_time_us, lease_until_us, worked_us, seen_us;
  int state, last_sequence, attempt, queue_position, cancel_requested, finish_requested, resume_requested, deaths;
  std::string id, requested, spec, progress, failure, result;

  absl::StatusOr<JobRow> Parse() const;
};
extern const char kJobColumns[];    // of table `jobs`
extern const char kOrderOfQueue[];  // ORDER BY: begun jobs, then by priority, then by age

// The rows for which `condition` holds, which names one parameter, and how they are ordered and limited.
absl::StatusOr<std::vector<JobRow>> SelectJobs(soci::session& sql, const std::string& condition,
                                               const std::string& parameter);
// ResourceNotFound("job").
absl::StatusOr<JobRow> SelectJob(soci::session& sql, absl::string_view id);

// Adds the event with the next sequence and applies it to `row` (state, progress, failure, result, times); Save writes
// that. The move must be legal. Texts are cut to what is stored.
void AddEvent(soci::session& sql, JobRow& row, EventBody body, absl::Time now);
void Save(soci::session& sql, const JobRow& row);
// PAUSED becomes QUEUED.
void QueueAgain(soci::session& sql, JobRow& row, absl::Time now);

}  // namespace graft::jobs
