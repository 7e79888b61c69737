// A fine-tune job: its spec, states, events and result, as plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace graft::jobs {

// Values are those of proto JobState.
enum class State {
  kQueued = 1,
  kPreparing = 2,
  kTraining = 3,
  kEvaluating = 4,
  kPublishing = 5,
  kSucceeded = 6,
  kFailed = 7,
  kCancelling = 8,
  kCancelled = 9,
  kPausing = 10,
  kPaused = 11,
};
absl::string_view NameOf(State state);  // "QUEUED", ...
bool IsTerminal(State state);

// What was asked of a running job; its worker obeys at its next step.
enum class Wish {
  kNone,
  kFinish,  // publish the best epoch so far instead of training on
  kPause,
  kCancel,
};

enum class FailureType {
  kData = 1,
  kConfig = 2,
  kOutOfMemory = 3,
  kDevice = 4,
  kInternal = 5,
  kWorker = 6,  // its worker died without a word, too often
};

struct Failure {
  FailureType type = FailureType::kInternal;
  std::string message;
};

// One stage of a training, proto TrainSpec.Phase. In a resolved spec all that its kind has is set: a head's lacks
// batch_norm, accumulation, layer_decay, weight_decay, clip_norm and warmup_epochs.
struct Phase {
  std::string trainable;  // "head", "blocks:N", "all"
  std::string optimizer, schedule, batch_norm;
  std::optional<int> epochs, patience, batch_size, accumulation;
  std::optional<double> learning_rate, layer_decay, weight_decay, clip_norm, warmup_epochs;
  bool operator==(const Phase&) const = default;
};

// Proto SweptField.
struct SweptField {
  std::string field;
  std::vector<double> values;
  bool operator==(const SweptField&) const = default;
};

// Requested spec: fields the user left out are empty. Resolved spec: dataset is "datasets/D/versions/N" and all are
// set, except those of another solver, what the job is to choose (`l2`, and what is swept), and a limit of time where
// none was asked for. `decode`, `precision`, `priority`, `solver` and `weight_decay` are empty in jobs older than they
// are: scaled, f32, normal, adam, 0.
// With phases, what a phase has is in them alone, and no solver; without, all that follows `phases` is unset as well,
// but what is of the photos: `init_from`, and `augment` with `views` where it is not none.
struct TrainSpec {
  std::string dataset, backbone, model, preset, device, alias;
  std::string decode;                 // "scaled", "full"
  std::string precision;              // "auto", "f32", "bf16"
  std::string solver;                 // "adam", "lbfgs"
  std::string priority;               // "low", "normal", "high"
  std::optional<double> max_seconds;  // of work, all attempts together; none: no limit
  std::optional<int> epochs, patience, batch_size;
  std::optional<double> learning_rate, weight_decay, l2, train_fraction, validation_fraction;
  std::vector<SweptField> sweep;
  std::optional<uint32_t> seed;
  std::optional<int> folds, fold;  // both or none: k-fold cross-validation
  std::vector<Phase> phases;
  std::string trainable;           // of the preset's last phase
  std::string init_from, teacher;  // "models/M/versions/N" when resolved
  std::string augment, class_weights;
  std::optional<int> views;  // of each training photo, for a head on cached features; none: 1
  std::optional<double> label_smoothing, focal_gamma, mixup_alpha, cutmix_alpha, ema_decay;
  std::optional<double> distillation_weight, distillation_temperature;  // set where there is a teacher
  bool operator==(const TrainSpec&) const = default;
};

// Proto ClassMetrics. `f1` is absent in results older than it is.
struct ClassMetrics {
  std::string label;
  double precision = 0, recall = 0;
  int images = 0;
  std::optional<double> f1, roc_auc;
};

// Proto AverageMetrics.
struct AverageMetrics {
  double precision = 0, recall = 0, f1 = 0;
  std::optional<double> roc_auc;
};

// Proto ConfusionMatrix.Cell.
struct ConfusionCell {
  int actual = 0, predicted = 0, images = 0;
  bool operator==(const ConfusionCell&) const = default;
};

// Proto Calibration.
struct Calibration {
  double temperature = 1, test_loss = 0, error_before = 0, error_after = 0;
};

// Proto Interval and Intervals.
struct Interval {
  double low = 0, high = 0;
};
struct Intervals {
  Interval test_accuracy, test_loss, macro_f1;
};

// Proto PrecisionReport.
struct PrecisionReport {
  std::string precision;  // "f32", "bf16"
  int images = 0;
  std::optional<double> accuracy_f32, accuracy_bf16, agreement;
  bool operator==(const PrecisionReport&) const = default;
};

// Proto Trial.
struct Trial {
  int number = 0;
  std::optional<double> l2, learning_rate, weight_decay;
  int iterations = 0, epochs = 0;
  double train_loss = 0, train_accuracy = 0, validation_loss = 0, validation_accuracy = 0, seconds = 0;
  bool best = false;
};

struct Result {
  std::string model_version;  // "models/m/versions/1"; set when published
  double test_loss = 0, test_accuracy = 0, validation_loss = 0, validation_accuracy = 0;
  int epochs_run = 0, best_epoch = 0, images_computed = 0, images_from_cache = 0;
  std::map<std::string, double> phase_seconds;
  std::string weights_sha256;
  int64_t parameters = 0, trainable_parameters = 0;
  std::vector<ClassMetrics> classes;
  std::vector<ConfusionCell> confusion;  // by actual, then predicted
  std::optional<PrecisionReport> precision;
  std::string stop_reason;  // proto JobResult.stop_reason; empty in older jobs
  // Absent in results older than they are.
  std::optional<AverageMetrics> macro, weighted;
  std::optional<Calibration> calibration;
  std::optional<Intervals> intervals;
  std::vector<Trial> trials;
  double loader_images_per_second = 0, engine_images_per_second = 0;  // each step of computing features alone
  std::optional<double> discarded_validation_accuracy;
};

struct StateChanged {
  State state;
  std::string reason;
  std::optional<Failure> failure;
  std::optional<Result> result;
};
struct FeatureProgress {
  int images_done = 0, images_total = 0;
  double images_per_second = 0, seconds_left = 0;
};
struct FeaturesReady {
  int images_computed = 0, images_from_cache = 0;
  double seconds = 0;
  double loader_images_per_second = 0, engine_images_per_second = 0;
};
struct EpochDone {
  int epoch = 0, epochs = 0;
  double train_loss = 0, train_accuracy = 0, validation_loss = 0, validation_accuracy = 0, learning_rate = 0;
  double seconds = 0, images_per_second = 0, seconds_left = 0;
  bool best = false;
  std::string phase;  // what is trained: "head", "blocks:N", "all"; empty in old events: "head"
};
struct Message {
  std::string text;
};
struct PrecisionChosen {
  PrecisionReport report;
};
struct MemoryReduced {
  std::string reason;
  int divisor = 1;
};
struct TrialDone {
  Trial trial;
  int trials = 0;  // at most
};
using EventBody = std::variant<StateChanged, FeatureProgress, FeaturesReady, EpochDone, Message, PrecisionChosen,
                               MemoryReduced, TrialDone>;

struct Event {
  int sequence = 0;  // 1, 2, 3, ... per job; JobStoreOptions says which are removed later
  absl::Time time;
  EventBody body;
};

// Taken from the latest events, so that Get needs no replay.
struct Progress {
  int images_done = 0, images_total = 0, epoch = 0, epochs = 0;
  int trial = 0, trials = 0;  // done, and at most
  double seconds_left = 0;
  absl::Time time = absl::InfinitePast();  // of the event that said so
};

struct Job {
  std::string id;
  State state = State::kQueued;
  TrainSpec requested, spec;
  absl::Time create_time, start_time, end_time;  // InfinitePast when not yet
  Progress progress;
  int last_sequence = 0;
  int attempt = 0;
  int queue_position = 0;
  bool cancel_requested = false, finish_requested = false;
  int deaths = 0;  // attempts whose worker died: that ended without a word
  // How long workers have had it, up to the last heartbeat or event.
  absl::Duration worked = absl::ZeroDuration();
  std::optional<Failure> failure;
  std::optional<Result> result;
};

// Database form; ordered keys, so equal values give equal text. DataLoss for text that is not one.
std::string ToJson(const TrainSpec& spec);
std::string ToJson(const Result& result);
std::string ToJson(const EventBody& body);
absl::StatusOr<TrainSpec> TrainSpecFromJson(absl::string_view text);
absl::StatusOr<Result> ResultFromJson(absl::string_view text);
absl::StatusOr<EventBody> EventBodyFromJson(absl::string_view text);

}  // namespace graft::jobs
