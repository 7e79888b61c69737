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

namespace graft::jobs {

// What a worker holds while it runs a job.
struct Lease {
  std::string job_id;
  int attempt = 0;  // the fencing token
};

struct Claim {
  Job job;
  Lease lease;
};

// A row of the change feed.
struct FeedItem {
  int64_t position = 0;  // of the whole feed
  std::string job_id;
  Event event;
};

struct JobStoreOptions {
  absl::Duration lease = absl::Seconds(30);
  int max_queued = 1000;
  std::function<absl::Time()> now = absl::Now;  // of leases and events; the wall clock, since machines share it
};

// FailedPrecondition: a worker tried to move a job on, or to SUCCEEDED, although cancelling was requested before. It
// gives up what the same transaction would have published and appends CANCELLED.
absl::Status CancelRequested(absl::string_view job);
bool IsCancelRequested(const absl::Status& status);

// Thread-safe; several processes share the tables.
class JobStore {
 public:
  explicit JobStore(store::Database* database, JobStoreOptions options = {})
      : database_(database), options_(std::move(options)) {}

  // Queues a job: row, event 1 (QUEUED). With a request_id seen before: the job made then if the requested spec is
  // equal, else ResourceExists. RetryLater(ResourceExhausted) when max_queued jobs wait. InvalidField("request_id")
  // above 128 bytes.
  absl::StatusOr<Job> Submit(const TrainSpec& requested, const TrainSpec& resolved, const std::string& request_id);

  absl::StatusOr<Job> Get(absl::string_view id);  // ResourceNotFound("job")
  // Newest first, created before job `before_id` (empty: all), at most `limit`. InvalidField("page_token") if there is
  // no such job.
  absl::StatusOr<std::vector<Job>> List(absl::string_view before_id, int limit);
  absl::StatusOr<std::map<State, int>> CountByState();

  // Jobs that no worker holds become CANCELLED at once, claimed ones CANCELLING (their worker finishes that). OK when
  // cancelled or cancelling already; PreconditionFailed when it succeeded or failed.
  absl::StatusOr<Job> RequestCancel(absl::string_view id);

  // Events of one job after `after_sequence`, at most `limit`.
  absl::StatusOr<std::vector<Event>> Events(absl::string_view id, int after_sequence, int limit);
  // Events of all jobs after `position`, at most `limit`; and the newest position.
  absl::StatusOr<std::vector<FeedItem>> FeedAfter(int64_t position, int limit);
  absl::StatusOr<int64_t> FeedEnd();

  // ---- Workers ----
  // The oldest job for `device` that is QUEUED, or whose lease has expired or was released; attempt + 1. It keeps the
  // state in which an earlier attempt left it. One that was CANCELLING then becomes CANCELLED instead of being claimed.
  // A resolved spec's device is a concrete one ("cpu", "cuda:0").
  absl::StatusOr<std::optional<Claim>> ClaimNext(absl::string_view device, absl::string_view worker);
  // Extends the lease; true when cancelling was requested. LeaseLost.
  absl::StatusOr<bool> Heartbeat(const Lease& lease);
  // Appends in order, in one transaction; StateChanged also moves the job, progress bodies also update its progress.
  // Texts above 4 KiB are cut. LeaseLost, also when the job has ended; CancelRequested for a StateChanged other than
  // CANCELLED or FAILED of a CANCELLING job (progress is still accepted); PreconditionFailed for a move that
  // CanMove (job_state.h) does not allow. After an error nothing was appended.
  absl::Status Append(const Lease& lease, const std::vector<EventBody>& bodies);
  // The same inside a transaction that does more, e.g. publishing the version that a SUCCEEDED names.
  absl::Status Append(store::Transaction& transaction, const Lease& lease, const std::vector<EventBody>& bodies);
  // Called when a lock file proves that the workers of a device are dead: their leases end now, and what they were
  // cancelling is CANCELLED.
  absl::Status ReleaseLeases(absl::string_view device);

 private:
  store::Database* const database_;
  const JobStoreOptions options_;
};

}  // namespace graft::jobs
