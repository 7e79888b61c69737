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
  return result;
}

dataset::AnnouncedFile FromProto(const v1::UploadDatasetRequest::File& file) {
  dataset::AnnouncedFile result;
  result.path = file.path();
  result.label = file.label();
  result.split = static_cast<dataset::Split>(file.split());
  result.sha256 = file.sha256();
  result.size_bytes = file.size_bytes();
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

}  // namespace graft::services
