#include "client/commands/archive_source.h"

#include <utility>

namespace graft::commands {
namespace {

v1::Split ToProto(archive::Split split) {
  switch (split) {
    case archive::Split::kNone:
      return v1::SPLIT_UNSPECIFIED;
    case archive::Split::kTrain:
      return v1::SPLIT_TRAIN;
    case archive::Split::kValidation:
      return v1::SPLIT_VALIDATION;
    case archive::Split::kTest:
      return v1::SPLIT_TEST;
  }
  return v1::SPLIT_UNSPECIFIED;
}

}  // namespace

ArchiveSource::ArchiveSource(archive::DatasetSource source) : source_(std::move(source)) {
  files_.reserve(source_.entries().size());
  for (const archive::Entry& entry : source_.entries()) {
    v1::UploadDatasetRequest::File& file = files_.emplace_back();
    file.set_path(entry.path);
    file.set_label(entry.label);
    file.set_split(ToProto(entry.split));
    file.set_sha256(entry.sha256);
    file.set_size_bytes(entry.size);
    file.set_group(entry.group);
  }
}

absl::Status ArchiveSource::ReadBlobs(const absl::flat_hash_set<std::string>& wanted, const BlobSink& sink) const {
  return source_.ForEachBlob(
      wanted, [&](absl::string_view sha256, std::string bytes) { return sink(std::string(sha256), bytes); });
}

}  // namespace graft::commands
