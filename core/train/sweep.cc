#include "core/train/sweep.h"

#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/stopwatch.h"
#include "core/evaluate/metrics.h"
#include "core/network/torch_status.h"
#include "core/train/divergence.h"
#include "core/train/epoch_rows.h"
#include "core/train/head_tensors.h"
#include "core/train/single_thread.h"

namespace graft::train {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kKeepOneIn = 4;
constexpr int kAlwaysKept = 4;
// On the CPU, whatever its threads are: a candidate's last bits depend on how many are beside it.
constexpr int kGroups = 2;

int DivideUp(int value, int divisor) {
  return (value + divisor - 1) / divisor;
}

// A candidate, while it runs and after.
struct Runner {
  SweepTrial trial;
  int best_epoch = 0;
  Head head;  // of its best epoch
};

// Of a candidate: sums over an epoch's steps, and what validation says after it.
struct EpochResult {
  double loss_sum = 0, right_count = 0;
  evaluate::Metrics validation;
};

// Candidates side by side, in the last dimension: [.., candidates x classes].
struct Columns {
  HeadTensors heads;
  AdamMoments moments;
  ColumnRates rates;
};

std::vector<torch::Tensor*> TensorsOf(Columns& columns) {
  std::vector<torch::Tensor*> tensors = {&columns.rates.learning};
  if (columns.rates.decay.defined()) tensors.push_back(&columns.rates.decay);
  for (HeadTensors* const part : {&columns.heads, &columns.moments.first, &columns.moments.second}) {
    tensors.insert(tensors.end(), {&part->kernel, &part->bias});
  }
  return tensors;
}

torch::Tensor ColumnsOf(const torch::Tensor& tensor, const torch::Tensor& candidates, int classes) {
  return tensor.unflatten(-1, {-1, classes}).index_select(-2, candidates).flatten(-2).contiguous();
}

ColumnRates RatesOf(const std::vector<SweepCandidate>& candidates, int classes, const at::Device& device) {
  std::vector<float> learning, decay;
  bool decays = false;
  for (const SweepCandidate& candidate : candidates) {
    learning.insert(learning.end(), classes, static_cast<float>(candidate.learning_rate));
    decay.insert(decay.end(), classes, static_cast<float>(candidate.learning_rate * candidate.weight_decay));
    decays = decays || candidate.weight_decay > 0;
  }
  const auto columns = static_cast<int64_t>(learning.size());
  ColumnRates rates{.learning = ToTensor(learning, {columns}, device)};
  if (decays) rates.decay = ToTensor(decay, {columns}, device);
  return rates;
}

Columns FirstColumns(int dimension, const HeadOptions& options, const std::vector<SweepCandidate>& candidates) {
  const at::Device device(options.device);
  const auto count = static_cast<int64_t>(candidates.size());
  const HeadTensors first =
      ToTensors(options.start ? *options.start : InitialHead(options.seed, dimension, options.classes), device);
  Columns columns{.heads = {.kernel = first.kernel.repeat({1, count}), .bias = first.bias.repeat({count})},
                  .rates = RatesOf(candidates, options.classes, device)};
  for (HeadTensors* const moment : {&columns.moments.first, &columns.moments.second}) {
    *moment = {.kernel = torch::zeros_like(columns.heads.kernel), .bias = torch::zeros_like(columns.heads.bias)};
  }
  return columns;
}

// Those of `all` at these places.
Columns Select(Columns& all, const std::vector<int64_t>& candidates, int classes) {
  const torch::Tensor places = torch::tensor(candidates).to(all.heads.bias.device());
  Columns selected = all;
  for (torch::Tensor* const tensor : TensorsOf(selected)) *tensor = ColumnsOf(*tensor, places, classes);
  return selected;
}

Columns SideBySide(std::vector<Columns>& groups) {
  Columns all = groups.front();
  const std::vector<torch::Tensor*> joined = TensorsOf(all);
  for (size_t i = 0; i < joined.size(); ++i) {
    std::vector<torch::Tensor> parts;
    for (Columns& group : groups) parts.push_back(*TensorsOf(group)[i]);
    *joined[i] = torch::cat(parts, -1);
  }
  return all;
}

// What all candidates read. LibTorch throws out of every method; thread-safe.
class SweepData {
 public:
  SweepData(const LabelledFeatures& train, const LabelledFeatures& validation, const HeadOptions& options)
      : options_(options),
        device_(options.device),
        features_(FeatureTensor(train, device_)),
        labels_(LabelTensor(train, device_)),
        views_(train.views),
        validation_features_(FeatureTensor(validation, device_)),
        validation_labels_(validation.labels) {}

  int images() const { return static_cast<int>(features_.size(0)) / views_; }
  int steps() const { return DivideUp(images(), options_.batch_size); }
  torch::Tensor Order(int epoch) const {
    return torch::tensor(EpochRows(options_.seed, epoch, images(), views_)).to(device_);
  }

  // One epoch of these candidates in `order`, and their validation; none once `interrupted` says so.
  std::optional<std::vector<EpochResult>> TrainOnce(Columns& columns, const torch::Tensor& order, int64_t steps_before,
                                                    const std::function<bool()>& interrupted) const {
    const int64_t candidates = columns.heads.bias.size(0) / options_.classes;
    torch::Tensor losses = torch::zeros({candidates}, torch::dtype(torch::kFloat64).device(device_));
    torch::Tensor right = torch::zeros_like(losses);
    for (int64_t step = 0; step < steps(); ++step) {
      if (interrupted()) return std::nullopt;
      const int64_t first = step * options_.batch_size;
      const torch::Tensor rows = order.slice(0, first, std::min<int64_t>(first + options_.batch_size, images()));
      const BatchResult batch =
          ForwardBackward(columns.heads, features_.index_select(0, rows), labels_.index_select(0, rows), candidates);
      AdamUpdate(columns.heads, columns.moments, batch.gradient, columns.rates, steps_before + step + 1);
      losses.add_(batch.loss_sum);
      right.add_(batch.right_count);
    }
    std::vector<EpochResult> results = Validate(columns.heads, candidates);
    for (int64_t i = 0; i < candidates; ++i) {
      results[i].loss_sum = losses[i].item<double>();
      results[i].right_count = right[i].item<double>();
    }
    return results;
  }

 private:
  std::vector<EpochResult> Validate(const HeadTensors& heads, int64_t candidates) const {
    const torch::Tensor logits =
        torch::addmm(heads.bias, validation_features_, heads.kernel).unflatten(1, {candidates, options_.classes});
    std::vector<EpochResult> results(candidates);
    for (int64_t i = 0; i < candidates; ++i) {
      std::vector<float> probabilities = ToVector(logits.select(1, i));
      evaluate::Softmax(absl::MakeSpan(probabilities), options_.classes);
      results[i].validation = evaluate::Evaluate(probabilities, validation_labels_, options_.classes);
    }
    return results;
  }

  const HeadOptions& options_;
  const at::Device device_;
  const torch::Tensor features_;  // [rows, dimension], float32
  const torch::Tensor labels_;    // [rows], int64
  const int views_;
  const torch::Tensor validation_features_;  // [images, dimension], float32
  const std::vector<int> validation_labels_;
};

// LibTorch throws out of every method.
class SweepTraining {
 public:
  // With `threads` above 1, a group of candidates may have a thread of its own. The groups are the same either way.
  SweepTraining(const LabelledFeatures& train, const LabelledFeatures& validation, const HeadOptions& options,
                const std::vector<SweepCandidate>& candidates, int threads)
      : options_(options), threads_(threads), data_(train, validation, options) {
    std::vector<int64_t> all;
    for (const SweepCandidate& candidate : candidates) {
      all.push_back(running());
      running_.push_back({.trial = {.number = running() + 1,
                                    .candidate = candidate,
                                    .train_loss = kInfinity,
                                    .validation_loss = kInfinity}});
    }
    groups_ = {FirstColumns(train.dimension, options, candidates)};
    Regroup(all);
  }

  absl::StatusOr<SweptHead> Run(const SweepObserver& observer, const std::function<bool()>& stop,
                                const std::function<bool()>& finish) {
    const int candidates = running();
    for (int epoch = 1; !running_.empty(); ++epoch) {
      bool stopped = false;
      const std::optional<std::vector<EpochResult>> results = TrainOnce(epoch, [&] {
        stopped = stopped || stop();
        return stopped || (epoch > 1 && finish());
      });
      if (stopped) return absl::CancelledError(absl::StrCat("stopped in epoch ", epoch));
      if (!results) {
        swept_.finished_early = true;
        RETURN_IF_ERROR(Leave(std::vector<bool>(running_.size(), true), observer));
        break;
      }
      std::vector<bool> ended;
      for (int i = 0; i < running(); ++i) ended.push_back(Note(i, epoch, (*results)[i]));
      if (epoch == DivideUp(options_.epochs, 16) || epoch == DivideUp(options_.epochs, 4)) EndAllButTheBest(ended);
      RETURN_IF_ERROR(Leave(ended, observer));
    }
    if (swept_.best == 0) return NonFiniteLossOfAll(candidates);
    return std::move(swept_);
  }

 private:
  int running() const { return static_cast<int>(running_.size()); }

  // One epoch of all, in the order of running_; none once `interrupted`, which this thread asks at every step, says so.
  std::optional<std::vector<EpochResult>> TrainOnce(int epoch, const std::function<bool()>& interrupted) {
    const torch::Tensor order = data_.Order(epoch);
    const int64_t steps_before = int64_t{epoch - 1} * data_.steps();
    std::atomic<bool> ends = false;
    const auto train_others = [&] {
      const SingleThread single_thread;
      const c10::InferenceMode no_autograd;
      std::vector<std::optional<std::vector<EpochResult>>> results;
      for (size_t i = 1; i < groups_.size(); ++i) {
        results.push_back(data_.TrainOnce(groups_[i], order, steps_before, [&] { return ends.load(); }));
      }
      return results;
    };
    auto others = std::async(threads_ > 1 ? std::launch::async : std::launch::deferred, train_others);
    std::optional<std::vector<EpochResult>> all = data_.TrainOnce(groups_[0], order, steps_before, [&] {
      if (interrupted()) ends = true;
      return ends.load();
    });
    for (const std::optional<std::vector<EpochResult>>& results : others.get()) {
      if (all && results) all->insert(all->end(), results->begin(), results->end());
    }
    return all;
  }

  // Whether the runner at `place` ends with this epoch.
  bool Note(int place, int epoch, const EpochResult& result) {
    Runner& runner = running_[place];
    SweepTrial& trial = runner.trial;
    trial.epochs = epoch;
    if (!std::isfinite(result.loss_sum) || !std::isfinite(result.validation.loss)) return true;
    if (result.validation.loss < trial.validation_loss) {
      trial.train_loss = result.loss_sum / data_.images();
      trial.train_accuracy = result.right_count / data_.images();
      trial.validation_loss = result.validation.loss;
      trial.validation_accuracy = result.validation.accuracy;
      runner.best_epoch = epoch;
      runner.head = HeadAt(place);
    }
    return epoch == options_.epochs || epoch - runner.best_epoch >= options_.patience;
  }

  Head HeadAt(int place) const {
    const HeadTensors& heads = groups_[place / group_size_].heads;
    const int64_t first = int64_t{place % group_size_} * options_.classes;
    return ToHead({.kernel = heads.kernel.narrow(1, first, options_.classes),
                   .bias = heads.bias.narrow(0, first, options_.classes)});
  }

  // Of equals the first goes on.
  void EndAllButTheBest(std::vector<bool>& ended) const {
    std::vector<int> order;
    for (int i = 0; i < running(); ++i) {
      if (!ended[i]) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [this](int a, int b) {
      return running_[a].trial.validation_loss < running_[b].trial.validation_loss;
    });
    const int count = static_cast<int>(order.size());
    for (int i = std::max(kAlwaysKept, DivideUp(count, kKeepOneIn)); i < count; ++i) ended[order[i]] = true;
  }

  // Takes the ended out of the running.
  absl::Status Leave(const std::vector<bool>& ended, const SweepObserver& observer) {
    std::vector<Runner> staying;
    std::vector<int64_t> places;
    for (int i = 0; i < running(); ++i) {
      if (ended[i]) {
        RETURN_IF_ERROR(End(std::move(running_[i]), observer));
        continue;
      }
      staying.push_back(std::move(running_[i]));
      places.push_back(i);
    }
    if (staying.size() < running_.size() && !staying.empty()) Regroup(places);
    running_ = std::move(staying);
    return absl::OkStatus();
  }

  // The candidates at these places, dealt out to groups again.
  void Regroup(const std::vector<int64_t>& places) {
    Columns all = SideBySide(groups_);
    const auto count = static_cast<int>(places.size());
    group_size_ = all.heads.bias.is_cpu() ? DivideUp(count, kGroups) : count;
    groups_.clear();
    for (int first = 0; first < count; first += group_size_) {
      const auto begin = places.begin() + first;
      groups_.push_back(Select(all, {begin, begin + std::min(group_size_, count - first)}, options_.classes));
    }
  }

  absl::Status End(Runner runner, const SweepObserver& observer) {
    runner.trial.seconds = stopwatch_.seconds();
    swept_.trials.push_back(runner.trial);
    if (runner.trial.validation_loss < lowest_loss_) {
      lowest_loss_ = runner.trial.validation_loss;
      swept_.best = runner.trial.number;
      swept_.head = std::move(runner.head);
    }
    return observer(runner.trial);
  }

  const HeadOptions& options_;
  const int threads_;
  const SweepData data_;
  const Stopwatch stopwatch_;
  std::vector<Runner> running_;  // in the order of the columns in groups_
  std::vector<Columns> groups_;  // of group_size_ candidates, the last one of what is left
  int group_size_ = 0;
  SweptHead swept_;
  double lowest_loss_ = kInfinity;
};

}  // namespace

absl::StatusOr<SweptHead> Sweep(const LabelledFeatures& train, const LabelledFeatures& validation,
                                const HeadOptions& options, const std::vector<SweepCandidate>& candidates,
                                const SweepObserver& observer, const std::function<bool()>& stop,
                                const std::function<bool()>& finish) {
  RETURN_IF_ERROR(CheckFeatures("train", train, train.dimension, options.classes));
  RETURN_IF_ERROR(CheckFeatures("validation", validation, train.dimension, options.classes));
  RETURN_IF_ERROR(CheckStart(options.start, train.dimension, options.classes));
  if (candidates.empty()) return absl::InvalidArgumentError("there is no candidate to train");
  return network::StatusFromThrow(absl::StatusCode::kInternal, "sweep", [&]() -> absl::StatusOr<SweptHead> {
    const int threads = at::get_num_threads();
    const SingleThread single_thread;
    const c10::InferenceMode no_autograd;
    return SweepTraining(train, validation, options, candidates, threads).Run(observer, stop, finish);
  });
}

}  // namespace graft::train
