#include "core/base/ids.h"
#include "server/services/convert.h"

namespace graft::services {

v1::DatasetVersion ToProto(const dataset::Version& version) {
  v1::DatasetVersion result;
  result.set_name(VersionName("datasets", version.dataset, version.number));
  result.set_dataset(version.dataset);
  result.set_number(version.number);
  *result.mutable_create_time() = ToProto(version.create_time);
  result.set_digest(version.digest);
  result.set_image_count(version.image_count);
  result.set_quarantined_count(version.quarantined_count);
  for (size_t i = 0; i < version.labels.size(); ++i) {
    auto& count = *result.add_classes();
    count.set_label(version.labels[i]);
    count.set_images(version.images_per_label[i]);
  }
  result.set_size_bytes(version.size_bytes);
  return result;
}

namespace {

v1::DatasetReport::AuditedFile AuditedFileToProto(const dataset::AuditedFile& file) {
  v1::DatasetReport::AuditedFile result;
  result.set_path(file.path);
  result.set_label(file.label);
  result.set_given_split(static_cast<v1::Split>(file.given_split));
  return result;
}

v1::DatasetReport::Clusters ClustersToProto(const dataset::ClusterFindings& findings) {
  v1::DatasetReport::Clusters result;
  result.set_cluster_count(findings.clusters);
  result.set_file_count(findings.files);
  for (const dataset::Cluster& cluster : findings.first) {
    auto& out = *result.add_first();
    out.set_file_count(cluster.file_count);
    for (const dataset::AuditedFile& file : cluster.files) *out.add_files() = AuditedFileToProto(file);
  }
  return result;
}

v1::DatasetReport::Outliers OutliersToProto(const dataset::OutlierFindings& findings) {
  v1::DatasetReport::Outliers result;
  result.set_file_count(findings.files);
  result.set_median(findings.median);
  result.set_low(findings.low);
  result.set_high(findings.high);
  for (const dataset::Outlier& outlier : findings.first) {
    auto& out = *result.add_first();
    *out.mutable_file() = AuditedFileToProto(outlier.file);
    out.set_value(outlier.value);
    out.set_width(outlier.width);
    out.set_height(outlier.height);
  }
  return result;
}

v1::DatasetReport::Audit AuditToProto(const dataset::Audit& audit) {
  v1::DatasetReport::Audit result;
  *result.mutable_exact_duplicates() = ClustersToProto(audit.exact_duplicates);
  *result.mutable_near_duplicates() = ClustersToProto(audit.near_duplicates);
  *result.mutable_label_conflicts() = ClustersToProto(audit.label_conflicts);
  *result.mutable_split_leaks() = ClustersToProto(audit.split_leaks);
  *result.mutable_group_leaks() = ClustersToProto(audit.group_leaks);
  result.set_imbalance(audit.imbalance);
  result.mutable_rare_classes()->Add(audit.rare_classes.begin(), audit.rare_classes.end());
  *result.mutable_size() = OutliersToProto(audit.size_outliers);
  *result.mutable_brightness() = OutliersToProto(audit.brightness_outliers);
  *result.mutable_blur() = OutliersToProto(audit.blur_outliers);
  result.set_without_contrast(audit.without_contrast);
  result.set_cut_short(audit.cut_short);
  return result;
}

}  // namespace

v1::DatasetReport ToProto(const dataset::Report& report) {
  v1::DatasetReport result;
  *result.mutable_version() = ToProto(report.version);
  auto& sizes = *result.mutable_sizes();
  sizes.set_min_width(report.min_width);
  sizes.set_min_height(report.min_height);
  sizes.set_median_width(report.median_width);
  sizes.set_median_height(report.median_height);
  sizes.set_max_width(report.max_width);
  sizes.set_max_height(report.max_height);
  result.mutable_formats()->insert(report.formats.begin(), report.formats.end());
  for (const dataset::QuarantinedFile& file : report.quarantined) {
    auto& out = *result.add_quarantined();
    out.set_path(file.path);
    out.set_label(file.label);
    out.set_reason(file.reason);
  }
  for (const auto& [split, images] : report.given_splits) {
    auto& out = *result.add_given_splits();
    out.set_split(static_cast<v1::Split>(split));
    out.set_images(images);
  }
  if (report.audit) *result.mutable_audit() = AuditToProto(*report.audit);
  return result;
}

dataset::AnnouncedFile FromProto(const v1::UploadDatasetRequest::File& file) {
  dataset::AnnouncedFile result;
  result.path = file.path();
  result.label = file.label();
  result.split = static_cast<dataset::Split>(file.split());
  result.sha256 = file.sha256();
  result.size_bytes = file.size_bytes();
  result.group = file.group();
  return result;
}

v1::UploadDatasetResponse ToProto(const dataset::ImportProgress& progress) {
  v1::UploadDatasetResponse result;
  auto& out = *result.mutable_progress();
  out.set_blobs_stored(progress.blobs_stored);
  out.set_bytes_stored(progress.bytes_stored);
  out.set_images_checked(progress.images_checked);
  out.set_images_total(progress.images_total);
  return result;
}

v1::DiffDatasetVersionsResponse::File ToProto(const dataset::Example& example, const std::vector<std::string>& labels) {
  v1::DiffDatasetVersionsResponse::File result;
  result.set_path(example.path);
  result.set_label(labels[static_cast<size_t>(example.label)]);
  result.set_split(static_cast<v1::Split>(example.given_split));
  result.set_group(example.group);
  result.set_sha256(example.sha256);
  return result;
}

}  // namespace graft::services
