// What a train job works on: what its spec names, and what came of training.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/dataset/dataset_store.h"
#include "core/engine/engine.h"
#include "core/jobs/job.h"
#include "core/network/backbone_catalog.h"
#include "core/network/preprocess.h"
#include "core/train/head_trainer.h"
#include "core/weights/weight_store.h"

namespace graft::workflow {

using Examples = std::vector<dataset::Example>;

// What the spec names.
struct TrainInputs {
  dataset::Version version;
  Examples examples;
  dataset::SplitIndices split;
  network::BackboneFacts backbone;
  weights::StoredWeights weights;         // that features are computed with: where they come from, or the job's own
  std::string base_sha256;                // of the weights that the job started from
  bool own_backbone = false;              // to be published with the head: the weight store does not have it
  std::string trained = "head";           // what the job has trained: also "blocks:N" and "all"
  std::optional<train::Head> start_head;  // of the version that the job starts from, for these classes
  network::PreprocessSpec preprocess;
  engine::Precision precision;  // to train in first
  int classes() const { return static_cast<int>(version.labels.size()); }
};

struct Splits {
  train::LabelledFeatures train, validation, test;
};

// A head, and the features it was trained on.
struct Candidate {
  engine::Precision precision;
  Splits splits;
  train::TrainedHead trained;
  std::vector<jobs::Trial> trials;  // of a solver or a sweep
  // Of the best epoch of phases on photos, where that is below the head's before them, which was kept instead.
  std::optional<double> discarded_validation_accuracy;
};

}  // namespace graft::workflow
