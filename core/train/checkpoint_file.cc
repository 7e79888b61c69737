#include "core/train/checkpoint_file.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace graft::train {
namespace {

constexpr int64_t kMaxBytes = int64_t{8} << 30;
constexpr size_t kDigestLength = 64;
// Cannot occur within a metadata value, whose quotation marks are escaped.
constexpr char kDigestKey[] = "\"sha256\":\"";

std::string FilePath(const std::string& path, int64_t sequence) {
  return absl::StrCat(path, ".", sequence % 2);
}

// Of the file with zeros in place of its digest, which stands at `position`.
std::string DigestAround(absl::string_view bytes, size_t position) {
  Sha256 digest;
  digest.Update(bytes.substr(0, position));
  digest.Update(std::string(kDigestLength, '0'));
  digest.Update(bytes.substr(position + kDigestLength));
  return digest.HexDigest();
}

absl::StatusOr<size_t> FindDigest(absl::string_view bytes) {
  const size_t key = bytes.find(kDigestKey);
  if (key == absl::string_view::npos || bytes.size() - key < sizeof(kDigestKey) - 1 + kDigestLength) {
    return absl::DataLossError("not a checkpoint");
  }
  return key + sizeof(kDigestKey) - 1;
}

// "" where there is none.
std::string Find(const std::map<std::string, std::string>& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

absl::StatusOr<ReadCheckpoint> ReadOne(const std::string& path, const CheckpointKind& kind) {
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, kMaxBytes));
  ASSIGN_OR_RETURN(const size_t position, FindDigest(bytes));
  if (absl::string_view(bytes).substr(position, kDigestLength) != DigestAround(bytes, position)) {
    return absl::DataLossError("checkpoint's digest does not match its content");
  }
  ASSIGN_OR_RETURN(weights::Safetensors file, weights::Safetensors::Parse(std::move(bytes)));
  if (Find(file.metadata(), "format") != kind.format || Find(file.metadata(), "inputs") != kind.inputs_digest) {
    return absl::FailedPreconditionError("checkpoint is of another run");
  }
  int64_t sequence = 0;
  if (!absl::SimpleAtoi(Find(file.metadata(), "sequence"), &sequence)) {
    return absl::DataLossError("checkpoint has no sequence number");
  }
  std::string progress = Find(file.metadata(), "progress");
  return ReadCheckpoint{.sequence = sequence, .progress = std::move(progress), .file = std::move(file)};
}

}  // namespace

absl::Status WriteCheckpoint(const std::string& path, const CheckpointKind& kind, int64_t sequence,
                             const std::string& progress, const std::map<std::string, weights::TensorView>& tensors) {
  std::string bytes = weights::Serialize(tensors, {{"format", kind.format},
                                                   {"inputs", kind.inputs_digest},
                                                   {"progress", progress},
                                                   {"sequence", absl::StrCat(sequence)},
                                                   {"sha256", std::string(kDigestLength, '0')}});
  ASSIGN_OR_RETURN(const size_t position, FindDigest(bytes));
  bytes.replace(position, kDigestLength, DigestAround(bytes, position));
  return WriteFileDurably(FilePath(path, sequence), bytes);
}

std::vector<ReadCheckpoint> ReadCheckpoints(const std::string& path, const CheckpointKind& kind) {
  std::vector<ReadCheckpoint> checkpoints;
  for (const int turn : {0, 1}) {
    absl::StatusOr<ReadCheckpoint> checkpoint = ReadOne(FilePath(path, turn), kind);
    if (checkpoint.ok()) checkpoints.push_back(*std::move(checkpoint));
  }
  std::sort(checkpoints.begin(), checkpoints.end(),
            [](const ReadCheckpoint& a, const ReadCheckpoint& b) { return a.sequence > b.sequence; });
  return checkpoints;
}

}  // namespace graft::train
