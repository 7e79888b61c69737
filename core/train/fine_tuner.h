// Trains a backbone and its head on images, in phases that differ in what is trainable. Plain C++.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/train/batch_source.h"
#include "core/train/head_trainer.h"
#include "core/weights/safetensors.h"

namespace graft::train {

enum class Optimizer {
  kSgd,    // momentum 0.9; weight decay is added to the gradient, as in torch.optim.SGD
  kAdam,   // beta 0.9 / 0.999, epsilon 1e-7 outside the bias correction, as in Keras and TrainHead; no weight decay
  kAdamW,  // kAdam with decoupled weight decay: w -= learning rate x weight_decay x w (keras.optimizers.AdamW)
};

enum class Schedule {
  kConstant,
  kCosine,    // to 0 at the phase's end, every step; Loshchilov and Hutter 2017, without restarts
  kOneCycle,  // from 1/25 up to the learning rate in 30 % of the steps, down to 1/250,000; torch's OneCycleLR
  kStep,      // x 0.1 after each third of the phase's epochs
  kPlateau,   // x 0.1 after 3 epochs without a lower validation loss; Keras' ReduceLROnPlateau
};

// What a phase changes. Blocks are the residual and inverted-residual blocks that Keras' layer names tell apart
// (network/blocks.h): "block_14", "block6h", "conv5_block2".
enum class Trainable {
  kHead,
  kLastBlocks,  // the head, all that follows the last block (the top convolution), and the last `last_blocks`
  kAll,         // every block, the stem included
};

enum class BatchNormMode {
  kFrozen,  // running statistics are used and stay as they are; gamma and beta train with their block
  kTrain,   // in trainable blocks: the batch's statistics are used, the running ones follow them
};

struct PhaseOptions {
  Trainable trainable = Trainable::kHead;
  int last_blocks = 0;  // at least 1 for kLastBlocks, at most network::BlocksOf
  int epochs = 10;
  // Epochs without a lower validation loss than the phase's lowest before the phase ends. 0: it runs to its end.
  int patience = 0;

  Optimizer optimizer = Optimizer::kAdamW;
  double learning_rate = 1e-3;  // of the head
  // Above 0, at most 1. The last block and what follows it learn at learning_rate x layer_decay, the block before at
  // learning_rate x layer_decay^2, ..., the stem slowest.
  double layer_decay = 1;
  double weight_decay = 0;  // not on batch norms and biases
  double clip_norm = 0;     // largest 2-norm of the whole gradient; 0: not clipped

  Schedule schedule = Schedule::kConstant;
  double warmup_epochs = 0;  // linear, before the schedule starts; not with kOneCycle, which has its own

  int batch_size = 32;   // images per update
  int accumulation = 1;  // forward passes that an update's images are split into, to save memory; 1 .. batch_size
  BatchNormMode batch_norm = BatchNormMode::kFrozen;
};

// Per image: weight of its label x (cross entropy with the smoothed label, each class's term x (1 - p)^focal_gamma).
// Averaged over the images of an update; weights are not averaged out (as Keras does, torch does not).
struct LossOptions {
  double label_smoothing = 0;        // 0 .. <1: share of the label spread over all classes
  std::vector<double> class_weight;  // [classes], or empty: all 1
  double focal_gamma = 0;            // Lin et al. 2017
  // With FineTuneInputs::teacher: loss = (1 - weight) x the above + weight x T^2 x KL(teacher_T || student_T), where _T
  // divides the logits by the temperature T. Hinton et al. 2015.
  double distillation_weight = 0;  // 0 .. 1
  double distillation_temperature = 1;
};

struct FineTuneOptions {
  std::vector<PhaseOptions> phases;  // at least one
  LossOptions loss;
  // Beta(alpha, alpha) decides how much of another image of its batch an image gets: blended (Zhang et al. 2018) or as
  // a pasted rectangle (Yun et al. 2019). 0: never. Both: a coin decides for each forward pass.
  double mixup_alpha = 0, cutmix_alpha = 0;
  // Average of the weights over updates; validation, the best epoch and the result are the average's. 0: off. The first
  // updates count more: the decay is min(ema_decay, (1 + updates) / (10 + updates)), as TensorFlow's.
  double ema_decay = 0;
  uint32_t seed = 0;
  std::string device = "cpu";
  bool bf16 = false;  // forward and backward passes in bfloat16, weights and updates in float32
  // `stop` is asked between the blocks of forward and backward passes as well, for networks whose updates take seconds
  // (32 photos through EfficientNetV2-B0 and back on two cores: five). The update under way is dropped then.
  bool stop_within_updates = false;
  // On the CPU and where images stay the same (no augmentation, mixup or cutmix), what a phase's frozen layers make of
  // them is kept: so much in memory, then so much in a file beside the checkpoint, the rest is computed anew every
  // epoch.
  int64_t activation_memory_bytes = int64_t{512} << 20;
  int64_t activation_disk_bytes = int64_t{4} << 30;
};

struct FineTuneInputs {
  std::string backbone;                           // its name in the catalog
  const weights::Safetensors* weights = nullptr;  // what it starts from; not owned
  Head head;                                      // what the head starts from; its size decides the classes
  BatchSource* train = nullptr;                   // augmented or not; not owned
  BatchSource* validation = nullptr;              // not owned
  // Anything that changes when the images, their labels, numbers or augmentation do: a checkpoint of other data is not
  // resumed. The rest of a run (weights, head, teacher, options) is digested by FineTune itself.
  std::string data_digest;
  std::vector<float> teacher;  // [train images, classes] probabilities of the teacher; empty without distillation
};

struct FineTuned {
  std::string backbone_safetensors;   // the whole backbone, in float32, as core/network reads it
  Head head;                          // both of the best epoch
  std::vector<EpochMetrics> history;  // epochs count on from phase to phase
  int best_epoch = 0;
  bool fell_back_to_f32 = false;  // bf16 was asked for, but changed the loss or made it non-finite
};

// The digest of a run's result: equal runs give equal bytes.
std::string DigestOf(const FineTuned& tuned);

// Runs the phases in turn. Each starts from the best weights so far, with a fresh optimiser, schedule and average. Per
// epoch: the train split once, in the order EpochOrder(seed, epoch); then the validation split in eval mode, by plain
// cross entropy. The best epoch of the run has the lowest validation loss. train_loss is the mean of what is minimised;
// train_accuracy counts with mixed images the larger part's label. EpochMetrics' rate counts training images over the
// whole epoch's time, learning_rate is the head's in the last update.
//
// Same inputs, options, machine and threads (ConfigureThreads): bit-identical result, however often it was stopped and
// resumed. A checkpoint is written durably after every epoch and at a stop, in turns to `checkpoint_path`.0 and .1; if
// a valid one of this very run exists, training goes on from the later. What stays frozen in all phases is not in it.
// `observer` and `observed_epochs`: as for TrainHead.
//
// Errors: Cancelled once `stop`, which is asked before every update, says so: the checkpoint is at that update. `stop`
// may be called by LibTorch's threads, one at a time while the caller waits.
// InvalidArgument for options or inputs outside the ranges above, naming the field; for a non-finite loss, naming epoch
// and step, with the checkpoint before that epoch left on disk. DataLoss for weights that are not the backbone's. Those
// of the sources and of the observer. ResourceExhausted when the device's memory is.
// For "cuda:N" engine::AvailableDevices() was called before.
absl::StatusOr<FineTuned> FineTune(const FineTuneInputs& inputs, const FineTuneOptions& options,
                                   const std::string& checkpoint_path, int observed_epochs,
                                   const EpochObserver& observer, const std::function<bool()>& stop);

// The best epoch so far of a run that was stopped, from its checkpoint: for a job that ends before its time.
// FailedPrecondition if no epoch of this very run has ended.
absl::StatusOr<FineTuned> BestSoFar(const FineTuneInputs& inputs, const FineTuneOptions& options,
                                    const std::string& checkpoint_path);

}  // namespace graft::train
