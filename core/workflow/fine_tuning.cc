#include "core/workflow/fine_tuning.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/jobs/fine_tune_spec.h"
#include "core/network/architecture.h"
#include "core/network/blocks.h"
#include "core/network/expected_tensors.h"
#include "core/weights/safetensors.h"
#include "core/workflow/evaluation.h"
#include "core/workflow/photo_source.h"

namespace graft::workflow {
namespace {

// Of decoded pictures, so that later epochs need not decode.
constexpr int64_t kTrainCacheBytes = int64_t{1} << 30;
constexpr int64_t kValidationCacheBytes = int64_t{256} << 20;
constexpr double kEffectiveBeta = 0.999;

// A resolved spec's trainable is valid.
int BlocksTrained(const std::string& trainable) {
  return jobs::TrainedBlocks("trainable", trainable).value_or(0);
}

train::Optimizer OptimizerOf(const std::string& name) {
  if (name == "sgd") return train::Optimizer::kSgd;
  return name == "adam" ? train::Optimizer::kAdam : train::Optimizer::kAdamW;
}

train::Schedule ScheduleOf(const std::string& name) {
  if (name == "constant") return train::Schedule::kConstant;
  if (name == "one_cycle") return train::Schedule::kOneCycle;
  if (name == "step") return train::Schedule::kStep;
  return name == "plateau" ? train::Schedule::kPlateau : train::Schedule::kCosine;
}

train::PhaseOptions OptionsOf(const jobs::Phase& phase) {
  const int blocks = BlocksTrained(phase.trainable);
  train::PhaseOptions options;
  options.trainable = blocks == jobs::kAllBlocks ? train::Trainable::kAll : train::Trainable::kLastBlocks;
  options.last_blocks = blocks == jobs::kAllBlocks ? 0 : blocks;
  options.epochs = *phase.epochs;
  options.patience = *phase.patience;
  options.optimizer = OptimizerOf(phase.optimizer);
  options.learning_rate = *phase.learning_rate;
  options.layer_decay = *phase.layer_decay;
  options.weight_decay = *phase.weight_decay;
  options.clip_norm = *phase.clip_norm;
  options.schedule = ScheduleOf(phase.schedule);
  options.warmup_epochs = *phase.warmup_epochs;
  options.batch_size = *phase.batch_size;
  options.accumulation = *phase.accumulation;
  options.batch_norm = phase.batch_norm == "train" ? train::BatchNormMode::kTrain : train::BatchNormMode::kFrozen;
  return options;
}

absl::StatusOr<std::unique_ptr<PhotoSource>> OpenPhotos(const PhotoTrainingInputs& run, const std::vector<int>& indices,
                                                        const image::AugmentSpec& augment, int64_t cache_bytes) {
  const dataset::LoaderOptions options{.target = network::TargetOf(run.inputs.preprocess),
                                       .augment = augment,
                                       .seed = *run.spec.seed,
                                       .threads = run.threads,
                                       .cache_bytes = cache_bytes};
  ASSIGN_OR_RETURN(std::unique_ptr<dataset::Loader> loader,
                   dataset::Loader::Create(ExamplesAt(run.inputs.examples, indices), options, run.blobs));
  return std::make_unique<PhotoSource>(std::move(loader), !augment.off());
}

// All that the pixels and labels of the two splits are a function of.
std::string DataDigest(const PhotoTrainingInputs& run, const image::AugmentSpec& augment) {
  return absl::StrCat(run.inputs.version.digest, " ", run.inputs.split.hash, " ", network::KeyOf(run.inputs.preprocess),
                      " ", image::KeyOf(augment), " ", *run.spec.seed);
}

}  // namespace

bool BeginsWithHead(const jobs::TrainSpec& spec) {
  return spec.phases.empty() || BlocksTrained(spec.phases.front().trainable) == 0;
}

std::vector<jobs::Phase> PhotoPhases(const jobs::TrainSpec& spec) {
  std::vector<jobs::Phase> phases = spec.phases;
  if (!phases.empty() && BeginsWithHead(spec)) phases.erase(phases.begin());
  return phases;
}

std::string TrainedPart(const jobs::TrainSpec& spec) {
  int blocks = 0;
  for (const jobs::Phase& phase : spec.phases) blocks = std::max(blocks, BlocksTrained(phase.trainable));
  if (blocks == 0) return "head";
  return blocks == jobs::kAllBlocks ? "all" : absl::StrCat("blocks:", blocks);
}

absl::StatusOr<int64_t> TrainedBackboneParameters(const std::string& backbone, const std::string& trainable) {
  ASSIGN_OR_RETURN(const int trained, jobs::TrainedBlocks("trainable", trainable));
  if (trained == 0) return 0;
  ASSIGN_OR_RETURN(network::Architecture architecture, network::FindArchitecture(backbone));
  const std::vector<network::Block> blocks = network::BlocksOf(architecture);
  const auto count = static_cast<int>(blocks.size());
  const int first_layer = trained >= count ? (trained == jobs::kAllBlocks ? 0 : blocks.front().first)
                                           : blocks[static_cast<size_t>(count - trained)].first;
  architecture.layers.erase(architecture.layers.begin(), architecture.layers.begin() + first_layer);
  int64_t parameters = 0;
  for (const auto& [name, shape] : network::ExpectedTensors(architecture)) {
    if (name.find("/moving_") != std::string::npos) continue;
    parameters += std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  }
  return parameters;
}

std::vector<double> ClassWeights(const std::string& how, const std::vector<int>& labels, int classes) {
  if (how == "none") return {};
  std::vector<double> photos(static_cast<size_t>(classes), 0);
  for (const int label : labels) photos[static_cast<size_t>(label)] += 1;
  std::vector<double> weights(photos.size(), 0);
  double sum = 0;  // over the photos
  for (size_t i = 0; i < photos.size(); ++i) {
    if (photos[i] == 0) continue;
    weights[i] = how == "balanced" ? 1 / photos[i] : (1 - kEffectiveBeta) / (1 - std::pow(kEffectiveBeta, photos[i]));
    sum += weights[i] * photos[i];
  }
  for (double& weight : weights) weight *= static_cast<double>(labels.size()) / sum;
  return weights;
}

train::FineTuneOptions FineTuneOptionsOf(const jobs::TrainSpec& spec, std::vector<double> class_weights, bool bf16) {
  train::FineTuneOptions options;
  for (const jobs::Phase& phase : PhotoPhases(spec)) options.phases.push_back(OptionsOf(phase));
  options.loss.label_smoothing = *spec.label_smoothing;
  options.loss.class_weight = std::move(class_weights);
  options.loss.focal_gamma = *spec.focal_gamma;
  options.loss.distillation_weight = spec.distillation_weight.value_or(0);
  options.loss.distillation_temperature = spec.distillation_temperature.value_or(1);
  options.mixup_alpha = *spec.mixup_alpha;
  options.cutmix_alpha = *spec.cutmix_alpha;
  options.ema_decay = *spec.ema_decay;
  options.seed = *spec.seed;
  options.device = spec.device;
  options.bf16 = bf16;
  options.stop_within_updates = true;
  return options;
}

void PhaseProgress::Count(const train::EpochMetrics& metrics) {
  if (metrics.phase != current_) epochs_ = 0;
  current_ = metrics.phase;
  ++epochs_;
}

int PhaseProgress::epochs_left() const {
  int left = *phase().epochs - epochs_;
  for (auto i = static_cast<size_t>(current_); i < phases_.size(); ++i) left += *phases_[i].epochs;
  return left;
}

absl::StatusOr<std::unique_ptr<PhotoTraining>> PhotoTraining::Open(const PhotoTrainingInputs& run) {
  ASSIGN_OR_RETURN(weights::Safetensors start,
                   weights::Safetensors::Load(run.inputs.weights.path, run.inputs.weights.sha256));
  ASSIGN_OR_RETURN(const image::AugmentSpec augment, image::NamedAugment(run.spec.augment));
  std::unique_ptr<PhotoTraining> training(new PhotoTraining(std::move(start)));
  ASSIGN_OR_RETURN(training->train_, OpenPhotos(run, run.inputs.split.train, augment, kTrainCacheBytes));
  ASSIGN_OR_RETURN(training->validation_, OpenPhotos(run, run.inputs.split.validation, {}, kValidationCacheBytes));
  training->inputs_ = {.backbone = run.spec.backbone,
                       .weights = &training->start_,
                       .head = run.head,
                       .train = training->train_.get(),
                       .validation = training->validation_.get(),
                       .data_digest = DataDigest(run, augment),
                       .teacher = run.teacher};
  std::vector<int> labels;
  for (const int index : run.inputs.split.train) labels.push_back(run.inputs.examples[index].label);
  training->options_ =
      FineTuneOptionsOf(run.spec, ClassWeights(run.spec.class_weights, labels, run.inputs.classes()), run.bf16);
  for (train::PhaseOptions& phase : training->options_.phases) {
    phase.accumulation = std::min(phase.batch_size, phase.accumulation * run.memory_divisor);
  }
  training->checkpoint_path_ = run.folder + "/fine-tuning";
  return training;
}

absl::StatusOr<train::FineTuned> PhotoTraining::Run(const train::EpochObserver& observer,
                                                    const std::function<bool()>& stop) {
  return train::FineTune(inputs_, options_, checkpoint_path_, /*observed_epochs=*/0, observer, stop);
}

absl::StatusOr<train::FineTuned> PhotoTraining::BestSoFar() {
  return train::BestSoFar(inputs_, options_, checkpoint_path_);
}

}  // namespace graft::workflow
