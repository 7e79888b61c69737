// A folder or archive as the source of an upload.
#pragma once

#include <vector>

#include "client/api/dataset_upload.h"
#include "core/archive/dataset_source.h"

namespace graft::commands {

// One thread at a time.
class ArchiveSource : public client::UploadSource {
 public:
  explicit ArchiveSource(archive::DatasetSource source);

  const std::vector<v1::UploadDatasetRequest::File>& files() const override { return files_; }
  absl::Status ReadBlobs(const absl::flat_hash_set<std::string>& wanted, const BlobSink& sink) const override;

 private:
  const archive::DatasetSource source_;
  std::vector<v1::UploadDatasetRequest::File> files_;
};

}  // namespace graft::commands
