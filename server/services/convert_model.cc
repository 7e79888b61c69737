#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "core/registry/manifest.h"
#include "server/services/convert.h"

namespace graft::services {
namespace {

absl::Status FillFromManifest(const registry::Manifest& manifest, v1::ModelVersion& out) {
  out.mutable_labels()->Add(manifest.labels.begin(), manifest.labels.end());
  auto& preprocess = *out.mutable_preprocess();
  preprocess.set_height(manifest.preprocess.height);
  preprocess.set_width(manifest.preprocess.width);
  preprocess.set_resize(manifest.preprocess.resize);
  preprocess.set_decode(manifest.preprocess.decode);
  preprocess.set_normalization(manifest.preprocess.normalization);
  out.set_precision(manifest.precision);
  out.set_temperature(manifest.temperature);
  out.set_trainable(manifest.trainable);
  out.set_base_backbone_sha256(manifest.base_backbone_sha256);
  out.set_init_from(manifest.init_from);
  out.set_dataset_version(manifest.dataset_version);
  out.set_dataset_digest(manifest.dataset_digest);
  out.set_split_hash(manifest.split_hash);
  out.set_test_split_hash(manifest.test_split_hash);
  out.set_job(manifest.job);
  out.mutable_library_versions()->insert(manifest.library_versions.begin(), manifest.library_versions.end());
  ASSIGN_OR_RETURN(const jobs::TrainSpec spec, jobs::TrainSpecFromJson(manifest.spec_json));
  *out.mutable_spec() = ToProto(spec);
  ASSIGN_OR_RETURN(const jobs::Result result, jobs::ResultFromJson(manifest.result_json));
  *out.mutable_metrics() = ToProto(result);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::ModelVersion> ToProto(const registry::ModelVersion& version) {
  v1::ModelVersion result;
  result.set_name(VersionName("models", version.model, version.number));
  result.set_model(version.model);
  result.set_number(version.number);
  *result.mutable_create_time() = ToProto(version.create_time);
  result.mutable_aliases()->Add(version.aliases.begin(), version.aliases.end());
  result.set_backbone(version.backbone);
  result.set_backbone_sha256(version.backbone_sha256);
  result.set_weights_sha256(version.head_sha256);
  result.set_size_bytes(version.size_bytes);
  result.set_backbone_size_bytes(version.backbone_size_bytes);
  absl::StatusOr<registry::Manifest> manifest = registry::ManifestFromJson(version.manifest);
  const absl::Status filled = manifest.ok() ? FillFromManifest(*manifest, result) : manifest.status();
  if (!filled.ok()) return WithContext(filled, result.name() + ": manifest");
  result.mutable_metrics()->set_model_version(result.name());  // its number did not exist when the manifest was made
  return result;
}

absl::StatusOr<v1::Model> ToProto(const registry::ModelSummary& summary) {
  v1::Model result;
  result.set_name("models/" + summary.latest.model);
  ASSIGN_OR_RETURN(*result.mutable_latest(), ToProto(summary.latest));
  result.mutable_aliases()->insert(summary.aliases.begin(), summary.aliases.end());
  result.set_version_count(summary.version_count);
  return result;
}

v1::Suspect ToProto(const registry::Suspect& suspect) {
  v1::Suspect result;
  result.set_path(suspect.path);
  result.set_label(suspect.label);
  result.set_predicted(suspect.predicted);
  result.set_probability(suspect.probability);
  result.set_label_probability(suspect.label_probability);
  result.set_loss(suspect.loss);
  return result;
}

v1::AliasMove ToProto(const std::string& model, const registry::AliasMove& move) {
  v1::AliasMove result;
  result.set_alias(move.alias);
  result.set_version(VersionName("models", model, move.number));
  if (move.from != 0) result.set_previous(VersionName("models", model, move.from));
  *result.mutable_time() = ToProto(move.time);
  result.set_rollback(move.is_rollback);
  result.set_version_deleted(!move.version_exists);
  return result;
}

v1::PhaseTimes ToProto(const inference::PhaseTimes& times) {
  v1::PhaseTimes result;
  *result.mutable_decode() = ToProto(times.decode);
  *result.mutable_queue() = ToProto(times.queue);
  *result.mutable_forward() = ToProto(times.forward);
  *result.mutable_total() = ToProto(times.total);
  return result;
}

v1::ClassifyResponse ToProto(const inference::Classification& classification) {
  v1::ClassifyResponse result;
  result.set_model_version(classification.model_version);
  for (const inference::Prediction& prediction : classification.predictions) {
    auto& out = *result.add_predictions();
    out.set_label(prediction.label);
    out.set_probability(prediction.probability);
    out.set_index(prediction.index);
  }
  *result.mutable_times() = ToProto(classification.times);
  return result;
}

}  // namespace graft::services
