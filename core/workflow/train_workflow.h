// What a train job does, as a list of steps; and what its spec means.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "core/dataset/dataset_store.h"
#include "core/features/feature_cache.h"
#include "core/jobs/job_store.h"
#include "core/registry/registry.h"
#include "core/store/blob_store.h"
#include "core/store/database.h"
#include "core/workflow/engine_cache.h"
#include "core/workflow/job_observer.h"

namespace graft::workflow {

// What a worker works with. Not owned; `observer` may be null.
struct Resources {
  store::Database* database;
  store::BlobStore* blobs;
  dataset::DatasetStore* datasets;
  jobs::JobStore* jobs;
  registry::Registry* registry;
  features::FeatureCache* features;
  EngineCache* engines;
  std::string weights_root;
  std::string jobs_root;  // checkpoints: <jobs_root>/<job>/, deleted when the job has ended, kept while it is paused
  int threads = 1;        // that decode and compute features
  JobObserver* observer = nullptr;
};

// Runs a claimed job to a terminal state; every step is an event. A job that an earlier attempt began goes on where
// that stopped, with the same bytes in the end as an undisturbed run.
//
// `stop` turns true when cancelling or pausing was requested (the job becomes CANCELLED or PAUSED) or the worker must
// end; which of them it was is asked of the database, the only one to know for sure. `finish` turns true when the best
// epoch so far is to be published instead of trained on. Both are asked at every step, at least every 50 ms while
// features are computed.
//
// When memory runs out it tries again, up to three times, with less held at a time and without the engine that was
// loaded; an event says so. Other errors end the job: they would come again.
//
// OK: the job has ended, whichever way, or is paused. Otherwise it stays for another claim: LeaseLost, Cancelled (the
// worker must end), or an error of the database that kept the end from being written.
absl::Status RunTrainJob(
    const Resources& resources, const jobs::Claim& claim, const std::function<bool()>& stop,
    const std::function<bool()>& finish = [] { return false; });

// What no worker deleted: checkpoints of jobs that were cancelled while paused, or whose worker died in its last
// moment.
void DeleteCheckpointsOfEndedJobs(const Resources& resources);

}  // namespace graft::workflow
