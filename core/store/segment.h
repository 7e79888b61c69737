// One append-only file of blob bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::store {

std::string SegmentPath(const std::string& folder, absl::string_view id);

// A new segment that this object alone appends to. One thread at a time. After an error it must be given up: what
// lies at its end is unknown.
class SegmentWriter {
 public:
  // Creates <folder>/<id>.seg (mode 0600) and makes its name durable.
  static absl::StatusOr<std::unique_ptr<SegmentWriter>> Create(const std::string& folder);
  ~SegmentWriter();
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  const std::string& id() const { return id_; }
  int64_t size() const { return size_; }

  // Appends and returns the offset of the first byte; durable after the next Sync.
  absl::StatusOr<int64_t> Append(absl::string_view bytes);
  absl::Status Sync();

 private:
  SegmentWriter(std::string id, std::string path, int descriptor);

  const std::string id_, path_;
  const int descriptor_;
  int64_t size_ = 0;
};

// A segment opened for reading. Thread-safe.
class SegmentReader {
 public:
  static absl::StatusOr<std::shared_ptr<const SegmentReader>> Open(const std::string& folder, absl::string_view id);
  ~SegmentReader();
  SegmentReader(const SegmentReader&) = delete;
  SegmentReader& operator=(const SegmentReader&) = delete;

  // DataLoss if the file ends before.
  absl::StatusOr<std::string> Read(int64_t offset, int64_t size) const;

 private:
  SegmentReader(std::string path, int descriptor);

  const std::string path_;
  const int descriptor_;
};

}  // namespace graft::store
