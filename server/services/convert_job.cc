#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "server/services/convert.h"

namespace graft::services {
namespace {

template <typename T, typename U>
std::optional<T> OptionalOf(bool present, U value) {
  return present ? std::optional<T>(static_cast<T>(value)) : std::nullopt;
}

v1::JobError FailureToProto(const jobs::Failure& failure) {
  v1::JobError result;
  result.set_type(static_cast<v1::JobErrorType>(failure.type));
  result.set_message(failure.message);
  return result;
}

void Fill(const jobs::StateChanged& body, v1::JobEvent& event) {
  auto& out = *event.mutable_state_changed();
  out.set_state(static_cast<v1::JobState>(body.state));
  out.set_reason(body.reason);
  if (body.failure) *out.mutable_error() = FailureToProto(*body.failure);
  if (body.result) *out.mutable_result() = ToProto(*body.result);
}

void Fill(const jobs::FeatureProgress& body, v1::JobEvent& event) {
  auto& out = *event.mutable_feature_progress();
  out.set_images_done(body.images_done);
  out.set_images_total(body.images_total);
  out.set_images_per_second(body.images_per_second);
  *out.mutable_estimated_time_left() = ToProto(absl::Seconds(body.seconds_left));
}

void Fill(const jobs::FeaturesReady& body, v1::JobEvent& event) {
  auto& out = *event.mutable_features_ready();
  out.set_images_computed(body.images_computed);
  out.set_images_from_cache(body.images_from_cache);
  out.set_seconds(body.seconds);
  out.set_loader_images_per_second(body.loader_images_per_second);
  out.set_engine_images_per_second(body.engine_images_per_second);
}

void Fill(const jobs::EpochDone& body, v1::JobEvent& event) {
  auto& out = *event.mutable_epoch_done();
  out.set_epoch(body.epoch);
  out.set_epochs(body.epochs);
  out.set_train_loss(body.train_loss);
  out.set_train_accuracy(body.train_accuracy);
  out.set_validation_loss(body.validation_loss);
  out.set_validation_accuracy(body.validation_accuracy);
  out.set_learning_rate(body.learning_rate);
  out.set_seconds(body.seconds);
  out.set_images_per_second(body.images_per_second);
  *out.mutable_estimated_time_left() = ToProto(absl::Seconds(body.seconds_left));
  out.set_best(body.best);
  out.set_phase(body.phase);
}

void Fill(const jobs::Message& body, v1::JobEvent& event) {
  event.mutable_message()->set_text(body.text);
}

void Fill(const jobs::PrecisionReport& report, v1::PrecisionReport& out) {
  out.set_precision(report.precision);
  out.set_images(report.images);
  if (report.accuracy_f32) out.set_accuracy_f32(*report.accuracy_f32);
  if (report.accuracy_bf16) out.set_accuracy_bf16(*report.accuracy_bf16);
  if (report.agreement) out.set_agreement(*report.agreement);
}

void Fill(const jobs::PrecisionChosen& body, v1::JobEvent& event) {
  Fill(body.report, *event.mutable_precision_chosen()->mutable_report());
}

void Fill(const jobs::MemoryReduced& body, v1::JobEvent& event) {
  event.mutable_memory_reduced()->set_reason(body.reason);
  event.mutable_memory_reduced()->set_divisor(body.divisor);
}

void Fill(const jobs::ClassMetrics& metrics, v1::ClassMetrics& out) {
  out.set_label(metrics.label);
  out.set_precision(metrics.precision);
  out.set_recall(metrics.recall);
  out.set_images(metrics.images);
  if (metrics.f1) out.set_f1(*metrics.f1);
  if (metrics.roc_auc) out.set_roc_auc(*metrics.roc_auc);
}

void Fill(const jobs::AverageMetrics& metrics, v1::AverageMetrics& out) {
  out.set_precision(metrics.precision);
  out.set_recall(metrics.recall);
  out.set_f1(metrics.f1);
  if (metrics.roc_auc) out.set_roc_auc(*metrics.roc_auc);
}

void Fill(const jobs::Calibration& calibration, v1::Calibration& out) {
  out.set_temperature(calibration.temperature);
  out.set_test_loss(calibration.test_loss);
  out.set_error_before(calibration.error_before);
  out.set_error_after(calibration.error_after);
}

void Fill(const jobs::Interval& interval, v1::Interval& out) {
  out.set_low(interval.low);
  out.set_high(interval.high);
}

void Fill(const jobs::Intervals& intervals, v1::Intervals& out) {
  Fill(intervals.test_accuracy, *out.mutable_test_accuracy());
  Fill(intervals.test_loss, *out.mutable_test_loss());
  Fill(intervals.macro_f1, *out.mutable_macro_f1());
}

void FillConfusion(const jobs::Result& result, v1::ConfusionMatrix& out) {
  for (const jobs::ClassMetrics& metrics : result.classes) out.add_labels(metrics.label);
  for (const jobs::ConfusionCell& cell : result.confusion) {
    auto& one = *out.add_cells();
    one.set_actual(cell.actual);
    one.set_predicted(cell.predicted);
    one.set_images(cell.images);
  }
}

void Fill(const jobs::Trial& trial, v1::Trial& out) {
  out.set_number(trial.number);
  if (trial.l2) out.set_l2(*trial.l2);
  if (trial.learning_rate) out.set_learning_rate(*trial.learning_rate);
  if (trial.weight_decay) out.set_weight_decay(*trial.weight_decay);
  out.set_epochs(trial.epochs);
  out.set_iterations(trial.iterations);
  out.set_train_loss(trial.train_loss);
  out.set_train_accuracy(trial.train_accuracy);
  out.set_validation_loss(trial.validation_loss);
  out.set_validation_accuracy(trial.validation_accuracy);
  out.set_seconds(trial.seconds);
  out.set_best(trial.best);
}

void Fill(const jobs::TrialDone& body, v1::JobEvent& event) {
  auto& out = *event.mutable_trial_done();
  Fill(body.trial, *out.mutable_trial());
  out.set_trials(body.trials);
}

jobs::Phase FromProto(const v1::TrainSpec::Phase& phase) {
  return {.trainable = phase.trainable(),
          .optimizer = phase.optimizer(),
          .schedule = phase.schedule(),
          .batch_norm = phase.batch_norm(),
          .epochs = OptionalOf<int>(phase.has_epochs(), phase.epochs()),
          .patience = OptionalOf<int>(phase.has_patience(), phase.patience()),
          .batch_size = OptionalOf<int>(phase.has_batch_size(), phase.batch_size()),
          .accumulation = OptionalOf<int>(phase.has_accumulation(), phase.accumulation()),
          .learning_rate = OptionalOf<double>(phase.has_learning_rate(), phase.learning_rate()),
          .layer_decay = OptionalOf<double>(phase.has_layer_decay(), phase.layer_decay()),
          .weight_decay = OptionalOf<double>(phase.has_weight_decay(), phase.weight_decay()),
          .clip_norm = OptionalOf<double>(phase.has_clip_norm(), phase.clip_norm()),
          .warmup_epochs = OptionalOf<double>(phase.has_warmup_epochs(), phase.warmup_epochs())};
}

void Fill(const jobs::Phase& phase, v1::TrainSpec::Phase& out) {
  out.set_trainable(phase.trainable);
  out.set_optimizer(phase.optimizer);
  out.set_schedule(phase.schedule);
  out.set_batch_norm(phase.batch_norm);
  if (phase.epochs) out.set_epochs(*phase.epochs);
  if (phase.patience) out.set_patience(*phase.patience);
  if (phase.batch_size) out.set_batch_size(*phase.batch_size);
  if (phase.accumulation) out.set_accumulation(*phase.accumulation);
  if (phase.learning_rate) out.set_learning_rate(*phase.learning_rate);
  if (phase.layer_decay) out.set_layer_decay(*phase.layer_decay);
  if (phase.weight_decay) out.set_weight_decay(*phase.weight_decay);
  if (phase.clip_norm) out.set_clip_norm(*phase.clip_norm);
  if (phase.warmup_epochs) out.set_warmup_epochs(*phase.warmup_epochs);
}

void FillTimes(const jobs::Job& job, v1::Job& out) {
  *out.mutable_create_time() = ToProto(job.create_time);
  if (job.start_time != absl::InfinitePast()) *out.mutable_start_time() = ToProto(job.start_time);
  if (job.end_time != absl::InfinitePast()) *out.mutable_end_time() = ToProto(job.end_time);
}

}  // namespace

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp result;
  const int64_t seconds = absl::ToUnixSeconds(time);
  result.set_seconds(seconds);
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return result;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration result;
  result.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return result;
}

jobs::TrainSpec FromProto(const v1::TrainSpec& spec) {
  jobs::TrainSpec result;
  result.dataset = spec.dataset();
  result.backbone = spec.backbone();
  result.model = spec.model();
  result.preset = spec.preset();
  result.device = spec.device();
  result.alias = spec.alias();
  result.decode = spec.decode();
  result.precision = spec.precision();
  result.priority = spec.priority();
  if (spec.has_max_duration()) {
    result.max_seconds = static_cast<double>(spec.max_duration().seconds()) + 1e-9 * spec.max_duration().nanos();
  }
  result.solver = spec.solver();
  result.epochs = OptionalOf<int>(spec.has_epochs(), spec.epochs());
  result.patience = OptionalOf<int>(spec.has_patience(), spec.patience());
  result.batch_size = OptionalOf<int>(spec.has_batch_size(), spec.batch_size());
  result.learning_rate = OptionalOf<double>(spec.has_learning_rate(), spec.learning_rate());
  result.weight_decay = OptionalOf<double>(spec.has_weight_decay(), spec.weight_decay());
  for (const v1::SweptField& swept : spec.sweep()) {
    result.sweep.push_back({.field = swept.field(), .values = {swept.values().begin(), swept.values().end()}});
  }
  result.l2 = OptionalOf<double>(spec.has_l2(), spec.l2());
  result.train_fraction = OptionalOf<double>(spec.has_train_fraction(), spec.train_fraction());
  result.validation_fraction = OptionalOf<double>(spec.has_validation_fraction(), spec.validation_fraction());
  result.seed = OptionalOf<uint32_t>(spec.has_seed(), spec.seed());
  result.folds = OptionalOf<int>(spec.has_folds(), spec.folds());
  result.fold = OptionalOf<int>(spec.has_fold(), spec.fold());
  for (const v1::TrainSpec::Phase& phase : spec.phases()) result.phases.push_back(FromProto(phase));
  result.trainable = spec.trainable();
  result.init_from = spec.init_from();
  result.teacher = spec.teacher();
  result.distillation_weight = OptionalOf<double>(spec.has_distillation_weight(), spec.distillation_weight());
  result.distillation_temperature =
      OptionalOf<double>(spec.has_distillation_temperature(), spec.distillation_temperature());
  result.augment = spec.augment();
  result.views = OptionalOf<int>(spec.has_views(), spec.views());
  result.class_weights = spec.class_weights();
  result.label_smoothing = OptionalOf<double>(spec.has_label_smoothing(), spec.label_smoothing());
  result.focal_gamma = OptionalOf<double>(spec.has_focal_gamma(), spec.focal_gamma());
  result.mixup_alpha = OptionalOf<double>(spec.has_mixup_alpha(), spec.mixup_alpha());
  result.cutmix_alpha = OptionalOf<double>(spec.has_cutmix_alpha(), spec.cutmix_alpha());
  result.ema_decay = OptionalOf<double>(spec.has_ema_decay(), spec.ema_decay());
  return result;
}

v1::TrainSpec ToProto(const jobs::TrainSpec& spec) {
  v1::TrainSpec result;
  result.set_dataset(spec.dataset);
  result.set_backbone(spec.backbone);
  result.set_model(spec.model);
  result.set_preset(spec.preset);
  result.set_device(spec.device);
  result.set_alias(spec.alias);
  result.set_decode(spec.decode);
  result.set_precision(spec.precision);
  result.set_priority(spec.priority);
  if (spec.max_seconds) *result.mutable_max_duration() = ToProto(absl::Seconds(*spec.max_seconds));
  result.set_solver(spec.solver);
  if (spec.epochs) result.set_epochs(*spec.epochs);
  if (spec.patience) result.set_patience(*spec.patience);
  if (spec.batch_size) result.set_batch_size(*spec.batch_size);
  if (spec.learning_rate) result.set_learning_rate(*spec.learning_rate);
  if (spec.weight_decay) result.set_weight_decay(*spec.weight_decay);
  for (const jobs::SweptField& swept : spec.sweep) {
    v1::SweptField& out = *result.add_sweep();
    out.set_field(swept.field);
    out.mutable_values()->Add(swept.values.begin(), swept.values.end());
  }
  if (spec.l2) result.set_l2(*spec.l2);
  if (spec.train_fraction) result.set_train_fraction(*spec.train_fraction);
  if (spec.validation_fraction) result.set_validation_fraction(*spec.validation_fraction);
  if (spec.seed) result.set_seed(*spec.seed);
  if (spec.folds) result.set_folds(*spec.folds);
  if (spec.fold) result.set_fold(*spec.fold);
  for (const jobs::Phase& phase : spec.phases) Fill(phase, *result.add_phases());
  result.set_trainable(spec.trainable);
  result.set_init_from(spec.init_from);
  result.set_teacher(spec.teacher);
  if (spec.distillation_weight) result.set_distillation_weight(*spec.distillation_weight);
  if (spec.distillation_temperature) result.set_distillation_temperature(*spec.distillation_temperature);
  result.set_augment(spec.augment);
  if (spec.views) result.set_views(*spec.views);
  result.set_class_weights(spec.class_weights);
  if (spec.label_smoothing) result.set_label_smoothing(*spec.label_smoothing);
  if (spec.focal_gamma) result.set_focal_gamma(*spec.focal_gamma);
  if (spec.mixup_alpha) result.set_mixup_alpha(*spec.mixup_alpha);
  if (spec.cutmix_alpha) result.set_cutmix_alpha(*spec.cutmix_alpha);
  if (spec.ema_decay) result.set_ema_decay(*spec.ema_decay);
  return result;
}

v1::JobResult ToProto(const jobs::Result& result) {
  v1::JobResult out;
  out.set_model_version(result.model_version);
  out.set_test_loss(result.test_loss);
  out.set_test_accuracy(result.test_accuracy);
  out.set_validation_loss(result.validation_loss);
  out.set_validation_accuracy(result.validation_accuracy);
  out.set_epochs_run(result.epochs_run);
  out.set_best_epoch(result.best_epoch);
  out.set_images_computed(result.images_computed);
  out.set_images_from_cache(result.images_from_cache);
  out.mutable_phase_seconds()->insert(result.phase_seconds.begin(), result.phase_seconds.end());
  out.set_weights_sha256(result.weights_sha256);
  out.set_parameters(result.parameters);
  out.set_trainable_parameters(result.trainable_parameters);
  for (const jobs::ClassMetrics& metrics : result.classes) Fill(metrics, *out.add_classes());
  if (!result.classes.empty()) FillConfusion(result, *out.mutable_confusion_matrix());
  if (result.precision) Fill(*result.precision, *out.mutable_precision());
  out.set_stop_reason(result.stop_reason);
  out.set_loader_images_per_second(result.loader_images_per_second);
  out.set_engine_images_per_second(result.engine_images_per_second);
  if (result.discarded_validation_accuracy) {
    out.set_discarded_validation_accuracy(*result.discarded_validation_accuracy);
  }
  if (result.macro) Fill(*result.macro, *out.mutable_macro());
  if (result.weighted) Fill(*result.weighted, *out.mutable_weighted());
  if (result.calibration) Fill(*result.calibration, *out.mutable_calibration());
  if (result.intervals) Fill(*result.intervals, *out.mutable_intervals());
  for (const jobs::Trial& trial : result.trials) Fill(trial, *out.add_trials());
  return out;
}

void LeaveOutDetails(v1::JobResult& result) {
  result.clear_classes();
  result.clear_confusion_matrix();
  auto& trials = *result.mutable_trials();
  trials.erase(std::remove_if(trials.begin(), trials.end(), [](const v1::Trial& trial) { return !trial.best(); }),
               trials.end());
}

v1::JobEvent ToProto(const jobs::Event& event) {
  v1::JobEvent result;
  result.set_sequence(event.sequence);
  *result.mutable_time() = ToProto(event.time);
  std::visit([&](const auto& body) { Fill(body, result); }, event.body);
  return result;
}

v1::Job ToProto(const jobs::Job& job) {
  v1::Job result;
  result.set_name(absl::StrCat("jobs/", job.id));
  result.set_state(static_cast<v1::JobState>(job.state));
  *result.mutable_requested_spec() = ToProto(job.requested);
  *result.mutable_spec() = ToProto(job.spec);
  FillTimes(job, result);
  auto& progress = *result.mutable_progress();
  progress.set_images_done(job.progress.images_done);
  progress.set_images_total(job.progress.images_total);
  progress.set_epoch(job.progress.epoch);
  progress.set_epochs(job.progress.epochs);
  progress.set_trial(job.progress.trial);
  progress.set_trials(job.progress.trials);
  *progress.mutable_estimated_time_left() = ToProto(absl::Seconds(job.progress.seconds_left));
  result.set_last_sequence(job.last_sequence);
  result.set_attempt(job.attempt);
  result.set_queue_position(job.queue_position);
  result.set_worker_deaths(job.deaths);
  if (job.failure) *result.mutable_error() = FailureToProto(*job.failure);
  if (job.result) *result.mutable_result() = ToProto(*job.result);
  return result;
}

v1::Job ToProto(const jobs::Job& job, const jobs::Outlook& outlook) {
  v1::Job result = ToProto(job);
  result.set_waiting_reason(outlook.waiting_reason);
  if (outlook.start) *result.mutable_predicted_start_time() = ToProto(*outlook.start);
  if (outlook.end) *result.mutable_predicted_end_time() = ToProto(*outlook.end);
  return result;
}

absl::StatusOr<std::string> JobIdOf(absl::string_view name) {
  absl::ConsumePrefix(&name, "jobs/");
  const auto is_id_character = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 64 || !std::all_of(name.begin(), name.end(), is_id_character)) {
    return InvalidField("name", "must be jobs/{id} or the id of a job");
  }
  return std::string(name);
}

}  // namespace graft::services
