// One append-only file of features. Little-endian:
//
//   header  "GRAFTFTR", uint32 format version (1), uint32 dimension
//   record  32-byte SHA-256 of the image, dimension x float32, uint32 CRC-32 (zlib's) of the record so far
//
// Records have one size, so a damaged one costs only itself, and a torn tail is what is left after the last whole one.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace graft::features {

using Digest = std::array<uint8_t, 32>;

// InvalidArgument unless `hex` is 64 lower-case hex digits.
absl::StatusOr<Digest> DigestFromHex(absl::string_view hex);

int64_t RecordBytes(int dimension);

// Appends to a file of its own. One thread at a time.
class FeatureFileWriter {
 public:
  // AlreadyExists if `path` does.
  static absl::StatusOr<std::unique_ptr<FeatureFileWriter>> Create(const std::string& path, int dimension);
  ~FeatureFileWriter();
  FeatureFileWriter(const FeatureFileWriter&) = delete;
  FeatureFileWriter& operator=(const FeatureFileWriter&) = delete;

  // Only buffers; returns the record's position in the file (0, 1, ...).
  int64_t Add(const Digest& digest, absl::Span<const float> values);
  // After OK what was added survives a power cut. After an error this writer is of no more use.
  absl::Status Flush();
  int pending() const { return pending_; }

 private:
  FeatureFileWriter(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  const std::string path_;
  const int descriptor_;
  std::string buffer_;
  int pending_ = 0;
  int64_t records_ = 0;
};

// Reads records of a file that may still grow. One thread at a time.
class FeatureFileReader {
 public:
  // NotFound; DataLoss if the file is no feature file of this dimension.
  static absl::StatusOr<std::unique_ptr<FeatureFileReader>> Open(const std::string& path, int dimension);
  ~FeatureFileReader();
  FeatureFileReader(const FeatureFileReader&) = delete;
  FeatureFileReader& operator=(const FeatureFileReader&) = delete;

  // Whole records in the file now.
  absl::StatusOr<int64_t> Count() const;
  // Calls `found` with each record from `first` on whose checksum is right.
  absl::Status Scan(int64_t first, const std::function<void(int64_t record, const Digest& digest)>& found) const;
  // The values of one record. DataLoss if it is damaged or not there.
  absl::Status Read(int64_t record, absl::Span<float> values) const;

 private:
  FeatureFileReader(std::string path, int descriptor, int dimension)
      : path_(std::move(path)), descriptor_(descriptor), dimension_(dimension) {}
  absl::Status ReadRecords(int64_t first, int64_t count, std::string& bytes) const;

  const std::string path_;
  const int descriptor_;
  const int dimension_;
};

}  // namespace graft::features
