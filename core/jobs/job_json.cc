#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <type_traits>

#include "core/base/status_from_throw.h"
#include "core/jobs/job.h"
#include "core/jobs/job_rows.h"

// Each struct lists its fields once, for both directions. JSON objects are ordered by key.
namespace graft::jobs {
namespace {

using Json = nlohmann::json;

template <typename T, typename Field>
void FieldsOf(T& phase, Field field) requires std::is_same_v<std::remove_const_t<T>, Phase> {
  field("trainable", phase.trainable);
  field("optimizer", phase.optimizer);
  field("schedule", phase.schedule);
  field("batch_norm", phase.batch_norm);
  field("epochs", phase.epochs);
  field("patience", phase.patience);
  field("batch_size", phase.batch_size);
  field("accumulation", phase.accumulation);
  field("learning_rate", phase.learning_rate);
  field("layer_decay", phase.layer_decay);
  field("weight_decay", phase.weight_decay);
  field("clip_norm", phase.clip_norm);
  field("warmup_epochs", phase.warmup_epochs);
}

template <typename T, typename Field>
void FieldsOf(T& swept, Field field) requires std::is_same_v<std::remove_const_t<T>, SweptField> {
  field("field", swept.field);
  field("values", swept.values);
}

template <typename Spec, typename Field>
void FieldsOf(Spec& spec, Field field) requires std::is_same_v<std::remove_const_t<Spec>, TrainSpec> {
  field("dataset", spec.dataset);
  field("backbone", spec.backbone);
  field("model", spec.model);
  field("preset", spec.preset);
  field("device", spec.device);
  field("alias", spec.alias);
  field("decode", spec.decode);
  field("precision", spec.precision);
  field("priority", spec.priority);
  field("max_seconds", spec.max_seconds);
  field("solver", spec.solver);
  field("epochs", spec.epochs);
  field("patience", spec.patience);
  field("batch_size", spec.batch_size);
  field("learning_rate", spec.learning_rate);
  field("weight_decay", spec.weight_decay);
  field("l2", spec.l2);
  field("sweep", spec.sweep);
  field("train_fraction", spec.train_fraction);
  field("validation_fraction", spec.validation_fraction);
  field("seed", spec.seed);
  field("folds", spec.folds);
  field("fold", spec.fold);
  field("phases", spec.phases);
  field("trainable", spec.trainable);
  field("init_from", spec.init_from);
  field("teacher", spec.teacher);
  field("distillation_weight", spec.distillation_weight);
  field("distillation_temperature", spec.distillation_temperature);
  field("augment", spec.augment);
  field("views", spec.views);
  field("class_weights", spec.class_weights);
  field("label_smoothing", spec.label_smoothing);
  field("focal_gamma", spec.focal_gamma);
  field("mixup_alpha", spec.mixup_alpha);
  field("cutmix_alpha", spec.cutmix_alpha);
  field("ema_decay", spec.ema_decay);
}

template <typename T, typename Field>
void FieldsOf(T& failure, Field field) requires std::is_same_v<std::remove_const_t<T>, Failure> {
  field("type", failure.type);
  field("message", failure.message);
}

template <typename T, typename Field>
void FieldsOf(T& metrics, Field field) requires std::is_same_v<std::remove_const_t<T>, ClassMetrics> {
  field("label", metrics.label);
  field("precision", metrics.precision);
  field("recall", metrics.recall);
  field("images", metrics.images);
  field("f1", metrics.f1);
  field("roc_auc", metrics.roc_auc);
}

template <typename T, typename Field>
void FieldsOf(T& metrics, Field field) requires std::is_same_v<std::remove_const_t<T>, AverageMetrics> {
  field("precision", metrics.precision);
  field("recall", metrics.recall);
  field("f1", metrics.f1);
  field("roc_auc", metrics.roc_auc);
}

template <typename T, typename Field>
void FieldsOf(T& calibration, Field field) requires std::is_same_v<std::remove_const_t<T>, Calibration> {
  field("temperature", calibration.temperature);
  field("test_loss", calibration.test_loss);
  field("error_before", calibration.error_before);
  field("error_after", calibration.error_after);
}

template <typename T, typename Field>
void FieldsOf(T& interval, Field field) requires std::is_same_v<std::remove_const_t<T>, Interval> {
  field("low", interval.low);
  field("high", interval.high);
}

template <typename T, typename Field>
void FieldsOf(T& intervals, Field field) requires std::is_same_v<std::remove_const_t<T>, Intervals> {
  field("test_accuracy", intervals.test_accuracy);
  field("test_loss", intervals.test_loss);
  field("macro_f1", intervals.macro_f1);
}

template <typename T, typename Field>
void FieldsOf(T& report, Field field) requires std::is_same_v<std::remove_const_t<T>, PrecisionReport> {
  field("precision", report.precision);
  field("images", report.images);
  field("accuracy_f32", report.accuracy_f32);
  field("accuracy_bf16", report.accuracy_bf16);
  field("agreement", report.agreement);
}

template <typename T, typename Field>
void FieldsOf(T& trial, Field field) requires std::is_same_v<std::remove_const_t<T>, Trial> {
  field("number", trial.number);
  field("l2", trial.l2);
  field("learning_rate", trial.learning_rate);
  field("weight_decay", trial.weight_decay);
  field("iterations", trial.iterations);
  field("epochs", trial.epochs);
  field("train_loss", trial.train_loss);
  field("train_accuracy", trial.train_accuracy);
  field("validation_loss", trial.validation_loss);
  field("validation_accuracy", trial.validation_accuracy);
  field("seconds", trial.seconds);
  field("best", trial.best);
}

template <typename T, typename Field>
void FieldsOf(T& result, Field field) requires std::is_same_v<std::remove_const_t<T>, Result> {
  field("model_version", result.model_version);
  field("test_loss", result.test_loss);
  field("test_accuracy", result.test_accuracy);
  field("validation_loss", result.validation_loss);
  field("validation_accuracy", result.validation_accuracy);
  field("epochs_run", result.epochs_run);
  field("best_epoch", result.best_epoch);
  field("images_computed", result.images_computed);
  field("images_from_cache", result.images_from_cache);
  field("phase_seconds", result.phase_seconds);
  field("weights_sha256", result.weights_sha256);
  field("parameters", result.parameters);
  field("trainable_parameters", result.trainable_parameters);
  field("classes", result.classes);
  field("confusion", result.confusion);
  field("precision", result.precision);
  field("stop_reason", result.stop_reason);
  field("macro", result.macro);
  field("weighted", result.weighted);
  field("calibration", result.calibration);
  field("intervals", result.intervals);
  field("trials", result.trials);
  field("loader_images_per_second", result.loader_images_per_second);
  field("engine_images_per_second", result.engine_images_per_second);
  field("discarded_validation_accuracy", result.discarded_validation_accuracy);
}

template <typename T, typename Field>
void FieldsOf(T& change, Field field) requires std::is_same_v<std::remove_const_t<T>, StateChanged> {
  field("state", change.state);
  field("reason", change.reason);
  field("failure", change.failure);
  field("result", change.result);
}

template <typename T, typename Field>
void FieldsOf(T& progress, Field field) requires std::is_same_v<std::remove_const_t<T>, FeatureProgress> {
  field("images_done", progress.images_done);
  field("images_total", progress.images_total);
  field("images_per_second", progress.images_per_second);
  field("seconds_left", progress.seconds_left);
}

template <typename T, typename Field>
void FieldsOf(T& ready, Field field) requires std::is_same_v<std::remove_const_t<T>, FeaturesReady> {
  field("images_computed", ready.images_computed);
  field("images_from_cache", ready.images_from_cache);
  field("seconds", ready.seconds);
  field("loader_images_per_second", ready.loader_images_per_second);
  field("engine_images_per_second", ready.engine_images_per_second);
}

template <typename T, typename Field>
void FieldsOf(T& epoch, Field field) requires std::is_same_v<std::remove_const_t<T>, EpochDone> {
  field("epoch", epoch.epoch);
  field("epochs", epoch.epochs);
  field("train_loss", epoch.train_loss);
  field("train_accuracy", epoch.train_accuracy);
  field("validation_loss", epoch.validation_loss);
  field("validation_accuracy", epoch.validation_accuracy);
  field("learning_rate", epoch.learning_rate);
  field("seconds", epoch.seconds);
  field("images_per_second", epoch.images_per_second);
  field("seconds_left", epoch.seconds_left);
  field("best", epoch.best);
  field("phase", epoch.phase);
}

template <typename T, typename Field>
void FieldsOf(T& message, Field field) requires std::is_same_v<std::remove_const_t<T>, Message> {
  field("text", message.text);
}

template <typename T, typename Field>
void FieldsOf(T& chosen, Field field) requires std::is_same_v<std::remove_const_t<T>, PrecisionChosen> {
  field("report", chosen.report);
}

template <typename T, typename Field>
void FieldsOf(T& reduced, Field field) requires std::is_same_v<std::remove_const_t<T>, MemoryReduced> {
  field("reason", reduced.reason);
  field("divisor", reduced.divisor);
}

template <typename T, typename Field>
void FieldsOf(T& done, Field field) requires std::is_same_v<std::remove_const_t<T>, TrialDone> {
  field("trial", done.trial);
  field("trials", done.trials);
}

template <typename T, typename Field>
void FieldsOf(T& progress, Field field) requires std::is_same_v<std::remove_const_t<T>, Progress> {
  field("images_done", progress.images_done);
  field("images_total", progress.images_total);
  field("epoch", progress.epoch);
  field("epochs", progress.epochs);
  field("trial", progress.trial);
  field("trials", progress.trials);
  field("seconds_left", progress.seconds_left);
  field("time_us", progress.time);
}

template <typename T>
concept Plain = std::is_same_v<T, std::string> || std::is_same_v<T, bool> || std::is_same_v<T, int> ||
    std::is_same_v<T, int64_t> || std::is_same_v<T, uint32_t>;

Json Encode(const Plain auto& value) {
  return value;
}
template <typename T>
Json Encode(const T& value) requires std::is_enum_v<T> {
  return static_cast<int>(value);
}
Json Encode(absl::Time value) {
  return value == absl::InfinitePast() ? 0 : absl::ToUnixMicros(value);
}
// JSON has no NaN and no infinity, and a diverged loss is one.
Json Encode(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
template <typename T>
Json Encode(const T& value) requires std::is_class_v<T> &&(!Plain<T>);
template <typename T>
Json Encode(const std::optional<T>& value) {
  return value.has_value() ? Encode(*value) : Json(nullptr);
}
Json Encode(const std::map<std::string, double>& values) {
  Json object = Json::object();
  for (const auto& [key, value] : values) object[key] = Encode(value);
  return object;
}
template <typename T>
Json Encode(const std::vector<T>& values) requires(!Plain<std::vector<T>>) {
  Json array = Json::array();
  for (const T& value : values) array.push_back(Encode(value));
  return array;
}
// [actual, predicted, images] each.
Json Encode(const std::vector<ConfusionCell>& cells) {
  Json array = Json::array();
  for (const ConfusionCell& cell : cells) array.push_back({cell.actual, cell.predicted, cell.images});
  return array;
}
template <typename T>
Json Encode(const T& value) requires std::is_class_v<T> &&(!Plain<T>) {
  Json object = Json::object();
  FieldsOf(value, [&object](const char* name, const auto& field) { object[name] = Encode(field); });
  return object;
}

void Decode(const Json& json, Plain auto& value) {
  json.get_to(value);
}
// Range-checked: nlohmann would wrap silently.
template <typename Number>
Number IntegerFrom(const Json& json) {
  if (!json.is_number_integer()) throw std::invalid_argument("expected an integer");
  const int64_t number = json.get<int64_t>();
  if (number < std::numeric_limits<Number>::min() || number > std::numeric_limits<Number>::max()) {
    throw std::out_of_range("integer out of range");
  }
  return static_cast<Number>(number);
}
void Decode(const Json& json, int& value) {
  value = IntegerFrom<int>(json);
}
void Decode(const Json& json, uint32_t& value) {
  value = IntegerFrom<uint32_t>(json);
}
void Decode(const Json& json, double& value) {
  if (json == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (json == "inf" || json == "-inf") {
    value = json == "inf" ? HUGE_VAL : -HUGE_VAL;
  } else {
    json.get_to(value);
  }
}
void Decode(const Json& json, absl::Time& value) {
  const auto micros = IntegerFrom<int64_t>(json);
  value = micros == 0 ? absl::InfinitePast() : absl::FromUnixMicros(micros);
}
void Decode(const Json& json, State& value) {
  const int number = IntegerFrom<int>(json);
  if (number < 1 || number > static_cast<int>(State::kPaused)) throw std::out_of_range("no such state");
  value = static_cast<State>(number);
}
void Decode(const Json& json, FailureType& value) {
  const int number = IntegerFrom<int>(json);
  if (number < 1 || number > static_cast<int>(FailureType::kWorker)) throw std::out_of_range("no such failure");
  value = static_cast<FailureType>(number);
}
template <typename T>
void Decode(const Json& json, T& value) requires std::is_class_v<T> &&(!Plain<T>);
template <typename T>
void Decode(const Json& json, std::optional<T>& value) {
  value.reset();
  if (!json.is_null()) Decode(json, value.emplace());
}
void Decode(const Json& json, std::map<std::string, double>& values) {
  values.clear();
  for (const auto& [key, value] : json.items()) Decode(value, values[key]);
}
template <typename T>
void Decode(const Json& json, std::vector<T>& values) requires(!Plain<std::vector<T>>) {
  values.clear();
  for (const Json& value : json) Decode(value, values.emplace_back());
}
// Results written before there were cells hold all counts, row-major [actual, predicted].
void DecodeDense(const Json& counts, std::vector<ConfusionCell>& cells) {
  const int classes = static_cast<int>(std::lround(std::sqrt(counts.size())));
  if (static_cast<size_t>(classes) * classes != counts.size()) throw std::invalid_argument("expected a square matrix");
  for (int i = 0; i < static_cast<int>(counts.size()); ++i) {
    const int images = IntegerFrom<int>(counts[i]);
    if (images != 0) cells.push_back({.actual = i / classes, .predicted = i % classes, .images = images});
  }
}
void Decode(const Json& json, std::vector<ConfusionCell>& cells) {
  cells.clear();
  if (!json.empty() && json[0].is_number()) return DecodeDense(json, cells);
  for (const Json& cell : json) {
    cells.push_back({IntegerFrom<int>(cell.at(0)), IntegerFrom<int>(cell.at(1)), IntegerFrom<int>(cell.at(2))});
  }
}
// A field that is not there keeps its default: rows written before the field existed.
template <typename T>
void Decode(const Json& json, T& value) requires std::is_class_v<T> &&(!Plain<T>) {
  if (!json.is_object()) throw std::invalid_argument("expected an object");
  FieldsOf(value, [&json](const char* name, auto& field) {
    if (const auto found = json.find(name); found != json.end()) Decode(*found, field);
  });
}

// Reasons and messages may quote file names that are not UTF-8.
std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <typename T>
absl::StatusOr<T> FromJson(absl::string_view doing, absl::string_view text) {
  return StatusFromThrow(absl::StatusCode::kDataLoss, doing, [text] {
    T value;
    Decode(Json::parse(text.begin(), text.end()), value);
    return value;
  });
}

constexpr const char* kBodyNames[] = {"state_changed", "feature_progress", "features_ready", "epoch_done",
                                      "message",       "precision_chosen", "memory_reduced", "trial_done"};
static_assert(std::variant_size_v<EventBody> == std::size(kBodyNames));

template <size_t index = 0>
EventBody DecodeBody(const std::string& name, const Json& json) {
  if constexpr (index == std::size(kBodyNames)) {
    throw std::invalid_argument("unknown kind of event '" + name + "'");
  } else {
    if (name != kBodyNames[index]) return DecodeBody<index + 1>(name, json);
    std::variant_alternative_t<index, EventBody> body{};
    Decode(json, body);
    return body;
  }
}

}  // namespace

std::string ToJson(const TrainSpec& spec) {
  return Text(Encode(spec));
}
std::string ToJson(const Result& result) {
  return Text(Encode(result));
}
std::string ToJson(const Failure& failure) {
  return Text(Encode(failure));
}
std::string ToJson(const Progress& progress) {
  return Text(Encode(progress));
}
std::string ToJson(const EventBody& body) {
  return Text(std::visit([&body](const auto& value) { return Json{{kBodyNames[body.index()], Encode(value)}}; }, body));
}

absl::StatusOr<TrainSpec> TrainSpecFromJson(absl::string_view text) {
  return FromJson<TrainSpec>("read stored job spec", text);
}
absl::StatusOr<Result> ResultFromJson(absl::string_view text) {
  return FromJson<Result>("read stored job result", text);
}
absl::StatusOr<Failure> FailureFromJson(absl::string_view text) {
  return FromJson<Failure>("read stored job failure", text);
}
absl::StatusOr<Progress> ProgressFromJson(absl::string_view text) {
  return FromJson<Progress>("read stored job progress", text);
}
absl::StatusOr<EventBody> EventBodyFromJson(absl::string_view text) {
  return StatusFromThrow(absl::StatusCode::kDataLoss, "read stored job event", [text] {
    const Json json = Json::parse(text.begin(), text.end());
    if (!json.is_object() || json.size() != 1) throw std::invalid_argument("expected an object of one event");
    return DecodeBody(json.begin().key(), json.begin().value());
  });
}

}  // namespace graft::jobs
