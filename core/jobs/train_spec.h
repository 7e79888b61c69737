// From the spec a user sent to the one a job runs: checks, the preset's values, versions pinned.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/jobs/job.h"

namespace graft::jobs {

// TrainSpec.solver.
inline constexpr char kLbfgs[] = "lbfgs";
// What can be swept: SweptField.field.
inline constexpr char kLearningRate[] = "learning_rate";
inline constexpr char kWeightDecay[] = "weight_decay";

inline constexpr char kArticlePreset[] = "article";
inline constexpr char kBalancedPreset[] = "balanced";
inline constexpr char kBestPreset[] = "best";
inline constexpr char kCustomPreset[] = "custom";  // of a spec that brings phases of its own
inline constexpr char kFastPreset[] = "fast";

// Each from 1.
inline constexpr int kMaxEpochs = 1000;  // of all phases together
inline constexpr int kMaxBatchSize = 1024;
inline constexpr int64_t kMaxSteps = 10'000'000;  // batches, of all epochs together
inline constexpr int kMaxPhases = 10;
inline constexpr int kMaxViews = 32;
inline constexpr int kMaxSweepCombinations = 256;

// Facts that resolving needs, looked up by the caller.
struct SpecContext {
  std::string dataset_version;            // "datasets/animals5/versions/2": what spec.dataset names now
  std::string dataset;                    // "animals5"
  std::string init_from, teacher;         // "models/animals/versions/3": what those of the spec name now
  int article_epochs = 25;                // of the backbone
  int backbone_blocks = 0;                // network::BlocksOf
  std::vector<std::string> devices;       // with a worker: "cpu", "cuda:0"
  std::vector<std::string> bf16_devices;  // those of them that compute in bf16
};

// Every field set that TrainSpec says is. InvalidField("spec.<field>") with the allowed range, or for a field of
// another solver.
absl::StatusOr<TrainSpec> ResolveSpec(const TrainSpec& requested, const SpecContext& context);

// Of a resolved spec: -1, 0 or 1; higher goes first.
int PriorityOf(const TrainSpec& spec);

}  // namespace graft::jobs
