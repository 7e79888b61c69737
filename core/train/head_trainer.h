// Trains a dense softmax head on cached features: the article's recipe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/train/labelled_features.h"

namespace graft::train {

// logits = features x kernel + bias
struct Head {
  int dimension = 0, classes = 0;
  std::vector<float> kernel;  // [dimension, classes], as Keras' Dense
  std::vector<float> bias;    // [classes]
};

// What training starts from: Glorot uniform kernel, zero bias; a function of the seed.
Head InitialHead(uint32_t seed, int dimension, int classes);

struct HeadOptions {
  int classes = 0;
  int epochs = 10;
  int patience = 3;  // epochs without a lower validation loss before stopping
  int batch_size = 32;
  double learning_rate = 1e-3;  // Adam, beta 0.9 / 0.999, epsilon 1e-7 (Keras' default)
  double weight_decay = 0;      // of the kernel: w -= learning_rate weight_decay w before each update, as Keras' AdamW
  uint32_t seed = 0;
  std::string device = "cpu";
  std::optional<Head> start;  // what training starts from, of the features' dimension and these classes
};

// InvalidArgument for a start that is not of these features and classes.
absl::Status CheckStart(const std::optional<Head>& start, int dimension, int classes);

struct EpochMetrics {
  int epoch = 0;
  int phase = 0;  // of FineTune's, from 1; 0 in TrainHead
  double train_loss = 0, train_accuracy = 0, validation_loss = 0, validation_accuracy = 0, learning_rate = 0;
  double seconds = 0, images_per_second = 0;
  bool best = false;
  double checkpoint_seconds = 0;  // to make it durable; 0 in a history that was read from a checkpoint
};

struct TrainedHead {
  Head head;  // of the best epoch
  std::vector<EpochMetrics> history;
  int best_epoch = 0;
  double validation_loss = 0, validation_accuracy = 0;  // of `head`
};

// Call once at the start of main, before any other LibTorch use and any thread: how many threads LibTorch has in this
// process. Numbers below float32's normal range count as zero from then on: a processor takes up to thirty times as
// long for them, and gradients through SiLU are full of them.
void ConfigureThreads(int threads);

// Called at each epoch's end, after its checkpoint is durable. A non-OK answer stops the training with it.
using EpochObserver = std::function<absl::Status(const EpochMetrics&)>;
// Tells of an epoch unless an earlier attempt has told of it.
inline absl::Status Observe(const EpochMetrics& metrics, int observed_epochs, const EpochObserver& observer) {
  return metrics.epoch > observed_epochs ? observer(metrics) : absl::OkStatus();
}

// Same inputs, options and machine: bit-identical head, resumed or not; runs on one thread, so the process's thread
// count does not matter. A checkpoint (weights, best weights, Adam's moments, history, with a checksum) is written
// durably after every epoch, in turns to `checkpoint_path`.0 and .1; if a valid one for these very inputs exists,
// training goes on from the later. `observer` sees every epoch after `observed_epochs` exactly once, in order, those
// of the checkpoint's history included. Without a start: Glorot uniform initial kernel, zero bias. The order of batches
// is a function of (seed, epoch), the last batch may be smaller. Stops early, Keras' way, after `patience` epochs
// without a lower validation loss. `stop` is asked every step: Cancelled. Non-finite loss: Diverged, naming the
// epoch and step. For "cuda:N" engine::AvailableDevices() was called before.
absl::StatusOr<TrainedHead> TrainHead(const LabelledFeatures& train, const LabelledFeatures& validation,
                                      const HeadOptions& options, const std::string& checkpoint_path,
                                      int observed_epochs, const EpochObserver& observer,
                                      const std::function<bool()>& stop);

// The best epoch so far of a run that was stopped, from its checkpoint: for a job that ends before its time.
// FailedPrecondition if no epoch of this very run has ended.
absl::StatusOr<TrainedHead> BestHeadSoFar(const LabelledFeatures& train, const LabelledFeatures& validation,
                                          const HeadOptions& options, const std::string& checkpoint_path);

// Logits [images, classes] of a head on `device`, and their softmax.
absl::StatusOr<std::vector<float>> Logits(const Head& head, const LabelledFeatures& features,
                                          const std::string& device);
absl::StatusOr<std::vector<float>> Predict(const Head& head, const LabelledFeatures& features,
                                           const std::string& device);

// safetensors bytes of a head (head/kernel, head/bias); equal heads give equal bytes.
std::string SerializeHead(const Head& head);

}  // namespace graft::train
