// What a train job works on: what its spec names, and what came of training.
#pragma once

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
  weights::StoredWeights weights;
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
  std::vector<jobs::Trial> trials;  // of a solver
};

}  // namespace graft::workflow
