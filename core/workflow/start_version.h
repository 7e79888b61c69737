// A published version that a job starts from or learns from.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/registry/registry.h"
#include "core/train/head_trainer.h"
#include "core/weights/weight_store.h"

namespace graft::workflow {

struct StartVersion {
  std::string backbone;
  weights::StoredWeights weights;  // of its backbone
  bool own_backbone = false;       // the weight store does not have them
  std::vector<std::string> labels;
  train::Head head;
};

// `name` is "models/M/versions/N". NotFound once it is deleted; DataLoss for damaged files.
absl::StatusOr<StartVersion> OpenStartVersion(registry::Registry& registry, const std::string& weights_root,
                                              const std::string& name);

// A head for `labels`: the start's columns for the labels that it has, random ones (Glorot uniform, bias 0) for others.
train::Head HeadFor(const std::vector<std::string>& labels, const StartVersion& start, uint32_t seed);

// [images, to] from [images, from]: the columns in the order of `to`, which has the same labels.
std::vector<float> InOrderOf(const std::vector<std::string>& to, const std::vector<std::string>& from,
                             const std::vector<float>& probabilities);

}  // namespace graft::workflow
