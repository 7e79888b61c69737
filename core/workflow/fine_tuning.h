// A job's phases on photos: those that train the backbone too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/jobs/job.h"
#include "core/store/blob_store.h"
#include "core/train/fine_tuner.h"
#include "core/weights/safetensors.h"
#include "core/workflow/candidate.h"
#include "core/workflow/photo_source.h"

namespace graft::workflow {

// Whether the spec's first phase is of the head alone, on cached features: always, without phases.
bool BeginsWithHead(const jobs::TrainSpec& spec);
// The others.
std::vector<jobs::Phase> PhotoPhases(const jobs::TrainSpec& spec);

// What the spec trains of the backbone, in all its phases: "head", "blocks:N" or "all".
std::string TrainedPart(const jobs::TrainSpec& spec);
// How many weights of the backbone that is; running statistics are none.
absl::StatusOr<int64_t> TrainedBackboneParameters(const std::string& backbone, const std::string& trainable);

// What a photo of each class counts, 1 on average over the photos with these labels; empty for "none".
//   balanced   inversely to the class's photos (scikit-learn's class_weight="balanced")
//   effective  inversely to (1 - beta^n) / (1 - beta), beta 0.999. Source: Cui et al. 2019, "Class-Balanced Loss Based
//   on
//              Effective Number of Samples"
std::vector<double> ClassWeights(const std::string& how, const std::vector<int>& labels, int classes);

// The options of a resolved spec.
train::FineTuneOptions FineTuneOptionsOf(const jobs::TrainSpec& spec, std::vector<double> class_weights, bool bf16);

// How far a run of phases has come, told from its epochs.
class PhaseProgress {
 public:
  explicit PhaseProgress(std::vector<jobs::Phase> phases) : phases_(std::move(phases)) {}

  // Call once for each epoch of FineTune, in order, from the first.
  void Count(const train::EpochMetrics& metrics);
  const jobs::Phase& phase() const { return phases_[static_cast<size_t>(current_ - 1)]; }  // of the epoch counted last
  int epochs_left() const;                                                                 // at most

 private:
  const std::vector<jobs::Phase> phases_;
  int current_ = 1;  // phase, from 1
  int epochs_ = 0;   // of it
};

// What a run starts from and works with, beside its spec. Not owned.
struct PhotoTrainingInputs {
  const jobs::TrainSpec& spec;
  const TrainInputs& inputs;
  const train::Head& head;
  std::vector<float> teacher;  // [train photos, classes] probabilities; empty without a teacher
  bool bf16 = false;
  int memory_divisor = 1;  // forward passes hold so much less at a time
  store::BlobStore* blobs = nullptr;
  int threads = 1;     // that load photos
  std::string folder;  // the job's
};

// The phases on photos, from `inputs.weights` and `head`, with checkpoints in the job's folder, which they go on from.
// One thread at a time.
class PhotoTraining {
 public:
  // Errors of reading the weights, and of dataset::Loader.
  static absl::StatusOr<std::unique_ptr<PhotoTraining>> Open(const PhotoTrainingInputs& inputs);

  // `observer` sees every epoch, those of earlier attempts included. Errors of train::FineTune.
  absl::StatusOr<train::FineTuned> Run(const train::EpochObserver& observer, const std::function<bool()>& stop);
  // That Run has spent so far waiting for photos of either split.
  double SecondsWaited() const { return train_->stats().seconds_waited + validation_->stats().seconds_waited; }
  // Of a run that was stopped. Errors of train::BestSoFar.
  absl::StatusOr<train::FineTuned> BestSoFar();

 private:
  explicit PhotoTraining(weights::Safetensors start) : start_(std::move(start)) {}

  const weights::Safetensors start_;
  std::unique_ptr<PhotoSource> train_, validation_;
  train::FineTuneInputs inputs_;
  train::FineTuneOptions options_;
  std::string checkpoint_path_;
};

}  // namespace graft::workflow
