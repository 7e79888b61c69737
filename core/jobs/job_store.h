// The job table is the queue: submit, claim with a lease, append events, finish. Every write of a worker carries its
// fencing token (the attempt number it claimed) and fails with LeaseLost once another attempt exists.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/jobs/job.h"
#include "core/store/database.h"

namespace soci {
class session;
}

namespace graft::jobs {

struct JobRow;  // job_rows.h

// What a worker holds while it runs a job.
struct Lease {
  std::string job_id;
  int attempt = 0;  // the fencing token
};

struct Claim {
  Job job;
  Lease lease;
  bool after_death = false;  // the attempt before ended because its worker died
};

enum class WorkerEnd { kDied, kStopped };

// A row of the change feed.
struct FeedItem {
  int64_t position = 0;  // of the whole feed
  std::string job_id;
  Event event;
};

struct JobStoreOptions {
  absl::Duration lease = absl::Seconds(30);
  int max_queued = 1000;
  int max_queued_per_principal = 50;
  int max_retries = 3;                                  // after a worker's death
  int max_events_per_job = 100'000;                     // beyond, progress within features is removed, the oldest first
  absl::Duration max_event_age = absl::Hours(24 * 30);  // after a job's end; the last one stays
  std::function<absl::Time()> now = absl::Now;          // of leases and events; the wall clock, since machines share it
};

// FailedPrecondition: a worker tried to move a job on, or to SUCCEEDED, although cancelling or pausing was requested
// before. It gives up what the same transaction would have published and appends CANCELLED or PAUSED.
absl::Status StopRequested(absl::string_view job, State state);
bool IsStopRequested(const absl::Status& status);

// Thread-safe; several processes share the tables.
class JobStore {
 public:
  explicit JobStore(store::Database* database, JobStoreOptions options = {})
      : database_(database), options_(std::move(options)) {}

  // Queues a job: row, event 1 (QUEUED). With a request_id seen before: the job made then if the requested spec is
  // equal and `principal` the same, else ResourceExists. RetryLater(ResourceExhausted) when max_queued jobs wait, or
  // max_queued_per_principal of this one's, paused ones included (unless it is empty: nobody's).
  // InvalidField("request_id") above 128 bytes.
  absl::StatusOr<Job> Submit(const TrainSpec& requested, const TrainSpec& resolved, const std::string& request_id,
                             const std::string& principal = "");

  absl::StatusOr<Job> Get(absl::string_view id);  // ResourceNotFound("job")
  // Newest first, created before job `before_id` (empty: all), at most `limit`. InvalidField("page_token") if there is
  // no such job.
  absl::StatusOr<std::vector<Job>> List(absl::string_view before_id, int limit);
  absl::StatusOr<std::map<State, int>> CountByState();
  // Those that have not ended, each device's in the order in which it takes them: those begun, then by priority, then
  // by age. Paused ones are among them.
  absl::StatusOr<std::vector<Job>> Unfinished();
  // The newest that succeeded on `device`, at most `limit`.
  absl::StatusOr<std::vector<Job>> LastSucceeded(absl::string_view device, int limit);

  // Jobs that no worker holds become CANCELLED at once, claimed ones CANCELLING (their worker finishes that). OK when
  // cancelled or cancelling already; PreconditionFailed when it succeeded or failed.
  absl::StatusOr<Job> RequestCancel(absl::string_view id);
  // Asks for the best epoch or trial so far to be published instead of trained on: the job goes on to SUCCEEDED. One
  // that is PAUSED or PAUSING is queued for that. OK when asked for already; PreconditionFailed when no epoch or trial
  // has been done, it is being cancelled, or it has ended.
  absl::StatusOr<Job> RequestFinish(absl::string_view id);
  // RequestCancel's with PAUSED and PAUSING. A paused job stays so until RequestResume or RequestCancel, over restarts
  // too. OK when paused or pausing already; PreconditionFailed when it has ended or is CANCELLING.
  absl::StatusOr<Job> RequestPause(absl::string_view id);
  // PAUSED becomes QUEUED, in the place that its age gives it; PAUSING stays, and becomes QUEUED as soon as it has
  // paused. OK for a job that is not paused at all; PreconditionFailed when it has ended or is CANCELLING.
  absl::StatusOr<Job> RequestResume(absl::string_view id);

  // Events of one job after `after_sequence`, at most `limit`, without those removed since (see the options).
  absl::StatusOr<std::vector<Event>> Events(absl::string_view id, int after_sequence, int limit);
  // Events of all jobs after `position`, at most `limit`; and the newest position.
  absl::StatusOr<std::vector<FeedItem>> FeedAfter(int64_t position, int limit);
  absl::StatusOr<int64_t> FeedEnd();
  // Removes events of jobs that ended max_event_age ago, all but each one's last, and not more than in a few seconds;
  // how many.
  absl::StatusOr<int64_t> TrimEvents();

  // ---- Workers ----
  // The next job for `device`: one begun whose lease has expired or was released, else the QUEUED one with the highest
  // priority, of these the oldest; attempt + 1. It keeps the state in which an earlier attempt left it. One that was
  // CANCELLING or PAUSING then becomes CANCELLED or PAUSED instead of being claimed. An attempt whose lease was neither
  // given back nor returned counts as a death of its worker; the one after max_retries makes the job FAILED (kWorker)
  // instead.
  // A resolved spec's device is a concrete one ("cpu", "cuda:0").
  absl::StatusOr<std::optional<Claim>> ClaimNext(absl::string_view device, absl::string_view worker);
  // Extends the lease. LeaseLost.
  absl::StatusOr<Wish> Heartbeat(const Lease& lease);
  // What Heartbeat answers, without a write. LeaseLost.
  absl::StatusOr<Wish> WishFor(const Lease& lease);
  // Ends the lease of a job that stays for another claim: its worker must end.
  absl::Status GiveBack(const Lease& lease);
  // Appends in order, in one transaction; StateChanged also moves the job, progress bodies also update its progress.
  // Texts above 4 KiB are cut. LeaseLost, also when the job has ended or paused; StopRequested for a StateChanged of a
  // CANCELLING or PAUSING job that does not end that (progress is still accepted); PreconditionFailed for a move that
  // CanMove (job_state.h) does not allow. After an error nothing was appended.
  absl::Status Append(const Lease& lease, const std::vector<EventBody>& bodies);
  // The same inside a transaction that does more, e.g. publishing the version that a SUCCEEDED names.
  absl::Status Append(store::Transaction& transaction, const Lease& lease, const std::vector<EventBody>& bodies);
  // Called when it is proven that the workers of a device are gone: their leases end now, and what they were cancelling
  // or pausing is CANCELLED or PAUSED. kStopped: they were asked to end, even if killed in the end; no death is
  // counted.
  absl::Status ReleaseLeases(absl::string_view device, WorkerEnd end = WorkerEnd::kDied);

 private:
  absl::StatusOr<std::vector<Job>> Select(absl::string_view doing, const std::string& condition,
                                          const std::string& parameter);
  // One transaction on one job's row, which is saved after `change`.
  absl::StatusOr<Job> Change(absl::string_view doing, absl::string_view id,
                             const std::function<absl::Status(soci::session&, JobRow&, absl::Time now)>& change);

  store::Database* const database_;
  const JobStoreOptions options_;
};

}  // namespace graft::jobs
