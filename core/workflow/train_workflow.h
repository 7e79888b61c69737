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

namespace graft::workflow {

// What a worker works with. Not owned.
struct Resources {
  store::Database* database;
  store::BlobStore* blobs;
  dataset::DatasetStore* datasets;
  jobs::JobStore* jobs;
  registry::Registry* registry;
  features::FeatureCache* features;
  std::string weights_root;
  std::string jobs_root;  // checkpoints: <jobs_root>/<job>/
  int threads = 1;
};

// Runs a claimed job to a terminal state (or returns LeaseLost, or an error of the database). Every step is an event.
// `stop` turns true when cancelling was requested or the worker must end.
absl::Status RunTrainJob(const Resources& resources, const jobs::Claim& claim, const std::function<bool()>& cancelled);

}  // namespace graft::workflow
