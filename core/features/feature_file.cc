#include "core/features/feature_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/status_macros.h"

namespace graft::features {
namespace {

static_assert(std::endian::native == std::endian::little, "feature files are little-endian and written as they lie");

constexpr absl::string_view kMagic = "GRAFTFTR";
constexpr uint32_t kFormatVersion = 1;
constexpr int64_t kHeaderBytes = 16;
constexpr int64_t kScanBytes = 4 << 20;

std::string Header(int dimension) {
  const uint32_t fields[2] = {kFormatVersion, static_cast<uint32_t>(dimension)};
  std::string header(kMagic);
  header.append(reinterpret_cast<const char*>(fields), sizeof(fields));
  return header;
}

uint32_t Checksum(absl::string_view bytes) {
  return static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

bool IsWhole(absl::string_view record) {
  uint32_t stored = 0;
  memcpy(&stored, record.data() + record.size() - sizeof(stored), sizeof(stored));
  return stored == Checksum(record.substr(0, record.size() - sizeof(stored)));
}

absl::Status FileError(absl::string_view doing, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(doing, " ", path));
}

absl::Status WriteAll(int descriptor, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError("append features to", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// Fewer bytes than asked only at the end of the file.
absl::Status ReadAt(int descriptor, int64_t offset, std::string& bytes, const std::string& path) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        pread(descriptor, bytes.data() + done, bytes.size() - done, offset + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read", path);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Digest> DigestFromHex(absl::string_view hex) {
  if (!IsSha256Hex(hex)) return absl::InvalidArgumentError(absl::StrCat("'", hex, "' is not a SHA-256 in hex"));
  const std::string bytes = absl::HexStringToBytes(hex);
  Digest digest;
  memcpy(digest.data(), bytes.data(), digest.size());
  return digest;
}

int64_t RecordBytes(int dimension) {
  return static_cast<int64_t>(sizeof(Digest) + sizeof(float) * dimension + sizeof(uint32_t));
}

absl::StatusOr<std::unique_ptr<FeatureFileWriter>> FeatureFileWriter::Create(const std::string& path, int dimension) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return FileError("create", path);
  auto writer = std::unique_ptr<FeatureFileWriter>(new FeatureFileWriter(path, descriptor));
  RETURN_IF_ERROR(WriteAll(descriptor, Header(dimension), path));
  return writer;
}

FeatureFileWriter::~FeatureFileWriter() {
  close(descriptor_);
}

int64_t FeatureFileWriter::Add(const Digest& digest, absl::Span<const float> values) {
  const size_t start = buffer_.size();
  buffer_.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  buffer_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  const uint32_t checksum = Checksum(absl::string_view(buffer_).substr(start));
  buffer_.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
  ++pending_;
  return records_++;
}

absl::Status FeatureFileWriter::Flush() {
  if (pending_ == 0) return absl::OkStatus();
  RETURN_IF_ERROR(WriteAll(descriptor_, buffer_, path_));
  if (fdatasync(descriptor_) != 0) return FileError("sync", path_);
  buffer_.clear();
  pending_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FeatureFileReader>> FeatureFileReader::Open(const std::string& path, int dimension) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return FileError("open", path);
  auto reader = std::unique_ptr<FeatureFileReader>(new FeatureFileReader(path, descriptor, dimension));
  std::string header(kHeaderBytes, '\0');
  RETURN_IF_ERROR(ReadAt(descriptor, 0, header, path));
  if (header != Header(dimension)) return absl::DataLossError(absl::StrCat(path, " is no feature file"));
  return reader;
}

FeatureFileReader::~FeatureFileReader() {
  close(descriptor_);
}

absl::StatusOr<int64_t> FeatureFileReader::Count() const {
  struct stat info;
  if (fstat(descriptor_, &info) != 0) return FileError("stat", path_);
  return std::max<int64_t>(0, info.st_size - kHeaderBytes) / RecordBytes(dimension_);
}

absl::Status FeatureFileReader::ReadRecords(int64_t first, int64_t count, std::string& bytes) const {
  const int64_t record_bytes = RecordBytes(dimension_);
  bytes.resize(static_cast<size_t>(count * record_bytes));
  return ReadAt(descriptor_, kHeaderBytes + first * record_bytes, bytes, path_);
}

absl::Status FeatureFileReader::Scan(int64_t first,
                                     const std::function<void(int64_t record, const Digest& digest)>& found) const {
  const int64_t record_bytes = RecordBytes(dimension_);
  const int64_t stride = std::max<int64_t>(1, kScanBytes / record_bytes);
  ASSIGN_OR_RETURN(const int64_t count, Count());
  std::string bytes;
  for (int64_t start = first; start < count; start += stride) {
    RETURN_IF_ERROR(ReadRecords(start, std::min(stride, count - start), bytes));
    absl::string_view rest = bytes;
    for (int64_t record = start; static_cast<int64_t>(rest.size()) >= record_bytes; ++record) {
      if (IsWhole(rest.substr(0, record_bytes))) {
        Digest digest;
        memcpy(digest.data(), rest.data(), digest.size());
        found(record, digest);
      }
      rest.remove_prefix(record_bytes);
    }
  }
  return absl::OkStatus();
}

absl::Status FeatureFileReader::Read(int64_t record, absl::Span<float> values) const {
  std::string bytes;
  RETURN_IF_ERROR(ReadRecords(record, 1, bytes));
  if (static_cast<int64_t>(bytes.size()) != RecordBytes(dimension_) || !IsWhole(bytes)) {
    return absl::DataLossError(absl::StrCat(path_, ": record ", record, " is damaged"));
  }
  memcpy(values.data(), bytes.data() + sizeof(Digest), values.size() * sizeof(float));
  return absl::OkStatus();
}

}  // namespace graft::features
