#include "core/workflow/job_features.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/workflow/evaluation.h"
#include "core/workflow/failure.h"
#include "core/workflow/training_views.h"

namespace graft::workflow {
namespace {

using engine::Precision;
using jobs::FailureType;

constexpr int64_t kOwnFeaturesBytes = int64_t{64} << 30;  // of no more than the job's photos anyway

absl::Status TimeLimitStruckTooEarly(double max_seconds) {
  return BlameOn(FailureType::kConfig,
                 PreconditionFailed("spec.max_duration",
                                    absl::StrCat(max_seconds,
                                                 " s were over before all photos had been looked at; what has been "
                                                 "computed is kept, so submit the job again, with more time")));
}

}  // namespace

absl::StatusOr<features::FeatureMatrix> JobFeatures::Get(const TrainInputs& inputs, Precision precision,
                                                         const Examples& photos) {
  return GetView(inputs, precision, photos, {}, [](const auto&) {});
}

absl::StatusOr<train::LabelledFeatures> JobFeatures::At(const TrainInputs& inputs, Precision precision,
                                                        const std::vector<int>& indices) {
  const Examples photos = ExamplesAt(inputs.examples, indices);
  ASSIGN_OR_RETURN(const features::FeatureMatrix matrix, Get(inputs, precision, photos));
  return SelectAll(matrix, photos);
}

absl::StatusOr<Splits> JobFeatures::OfSplits(const TrainInputs& inputs, Precision precision, absl::Time start) {
  const jobs::TrainSpec& spec = attempt_.spec();
  const int views = spec.views.value_or(1);
  ViewsProgress progress(static_cast<int>(inputs.examples.size()),
                         static_cast<int>(inputs.split.train.size()) * (views - 1));
  // Progress is worth less than the features: should its event fail, the next step's will fail as well.
  const auto report = [&](const features::FeatureProgress& of_view) {
    attempt_.log().Append(progress.Event(of_view)).IgnoreError();
  };
  ASSIGN_OR_RETURN(const features::FeatureMatrix plain, GetView(inputs, precision, inputs.examples, {}, report));
  progress.Count(plain);
  Splits splits{.train = Select(plain, inputs.examples, inputs.split.train),
                .validation = Select(plain, inputs.examples, inputs.split.validation),
                .test = Select(plain, inputs.examples, inputs.split.test)};
  if (views > 1) {
    const absl::StatusOr<image::AugmentSpec> augment = image::NamedAugment(spec.augment);
    if (!augment.ok()) return BlameOn(FailureType::kConfig, augment.status());
    const Examples photos = ExamplesAt(inputs.examples, inputs.split.train);
    ReserveViews(views, splits.train);
    for (int view = 1; view < views; ++view) {
      const features::PhotoView of_photo{.number = view, .augment = *augment, .seed = *spec.seed};
      ASSIGN_OR_RETURN(const features::FeatureMatrix matrix, GetView(inputs, precision, photos, of_photo, report));
      progress.Count(matrix);
      AppendView(matrix, splits.train);
    }
  }
  if (!attempt_.log().features_ready()) {
    RETURN_IF_ERROR(attempt_.log().Append(progress.Ready(absl::Now() - start)));
  }
  return splits;
}

void JobFeatures::UseOwnCache() {
  own_cache_.emplace(attempt_.Folder() + "/features", kOwnFeaturesBytes);
}

// The frozen backbone sees each photo once, whatever the number of epochs.
absl::StatusOr<features::FeatureMatrix> JobFeatures::GetView(const TrainInputs& inputs, Precision precision,
                                                             const Examples& photos, const features::PhotoView& view,
                                                             const OnProgress& report) {
  const Resources& resources = attempt_.resources();
  const jobs::TrainSpec& spec = attempt_.spec();
  std::vector<std::string> digests;
  for (const dataset::Example& photo : photos) digests.push_back(photo.sha256);
  const auto load_engine = [&]() -> absl::StatusOr<engine::Engine*> {
    absl::StatusOr<engine::Engine*> engine = resources.engines->Get(
        inputs.weights, {.device = spec.device, .precision = precision, .threads = resources.threads});
    if (engine.ok()) return engine;
    const bool damaged = absl::IsDataLoss(engine.status()) || absl::IsNotFound(engine.status());
    return BlameOn(damaged ? FailureType::kConfig : FailureType::kDevice, engine.status());
  };
  // Features without a head are of no use to anybody; with one, the time limit has struck already.
  const auto stop = [&] { return attempt_.Stopped() || (attempt_.TimeIsUp() && !attempt_.log().has_trained()); };
  features::FeatureCache& cache = own_cache_ ? *own_cache_ : *resources.features;
  absl::StatusOr<features::FeatureMatrix> matrix =
      cache.GetOrCompute({.digests = digests,
                          .view = view,
                          .preprocess = inputs.preprocess,
                          .weights_sha256 = inputs.weights.sha256,
                          .engine_id = resources.engines->IdOf(spec.device, precision),
                          .dimension = inputs.backbone.feature_dimension,
                          .engine = load_engine,
                          .blobs = resources.blobs,
                          .lanes = resources.threads,
                          .memory_divisor = attempt_.log().memory_divisor()},
                         report, stop);
  if (matrix.ok()) {
    if (resources.observer != nullptr) {
      resources.observer->FeaturesAtHand(matrix->images_computed, matrix->images_from_cache);
    }
    return matrix;
  }
  if (absl::IsCancelled(matrix.status()) && !attempt_.Stopped()) return TimeLimitStruckTooEarly(*spec.max_seconds);
  return BlameComputing(spec.device, matrix.status());
}

}  // namespace graft::workflow
