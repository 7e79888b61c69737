#include "core/weights/weight_store.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"

namespace graft::weights {
namespace {

constexpr int64_t kMaxRecordBytes = 64 << 10;

std::string FolderOf(const std::string& root, absl::string_view backbone) {
  return absl::StrCat(root, "/", backbone);
}

std::string FileOf(const std::string& root, absl::string_view backbone, absl::string_view sha256) {
  return absl::StrCat(FolderOf(root, backbone), "/", sha256, ".safetensors");
}

// Beside every weights file, so that a version trained on earlier weights still knows where they came from.
std::string RecordOf(const std::string& root, absl::string_view backbone, absl::string_view sha256) {
  return absl::StrCat(FolderOf(root, backbone), "/", sha256, ".json");
}

bool IsFile(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

std::string ToJson(const StoredWeights& weights) {
  return nlohmann::json{{"sha256", weights.sha256}, {"source", weights.source}, {"licence", weights.licence}}.dump(
             2, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

std::optional<std::string> TextAt(const nlohmann::json& object, const char* key) {
  const auto entry = object.find(key);
  if (entry == object.end() || !entry->is_string()) return std::nullopt;
  return entry->get<std::string>();
}

absl::StatusOr<StoredWeights> ReadRecord(const std::string& root, absl::string_view backbone, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxRecordBytes));
  const nlohmann::json record = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!record.is_object()) return absl::DataLossError(absl::StrCat(path, " is not a JSON object"));
  const auto sha256 = TextAt(record, "sha256"), source = TextAt(record, "source"), licence = TextAt(record, "licence");
  if (!sha256 || !source || !licence || !IsSha256Hex(*sha256)) {
    return absl::DataLossError(absl::StrCat(path, " lacks sha256, source or licence"));
  }
  return StoredWeights{std::string(backbone), *sha256, FileOf(root, backbone, *sha256), *source, *licence};
}

absl::Status NoWeights(absl::string_view backbone, absl::string_view what) {
  return ResourceNotFound(
      "weights", what,
      absl::StrCat("import them with: graft-weights import --data-dir DIR --backbone ", backbone, " --file FILE.h5"));
}

absl::StatusOr<StoredWeights> Found(absl::StatusOr<StoredWeights> weights, absl::string_view backbone,
                                    absl::string_view what) {
  if (absl::IsNotFound(weights.status())) return NoWeights(backbone, what);
  RETURN_IF_ERROR(weights.status());
  if (!IsFile(weights->path)) return NoWeights(backbone, what);
  return weights;
}

}  // namespace

absl::StatusOr<StoredWeights> PutWeights(const std::string& root, absl::string_view backbone,
                                         absl::string_view safetensors, absl::string_view source,
                                         absl::string_view licence) {
  RETURN_IF_ERROR(ValidateName("backbone", backbone));
  const std::string sha256 = Sha256Hex(safetensors);
  const StoredWeights weights{std::string(backbone), sha256, FileOf(root, backbone, sha256), std::string(source),
                              std::string(licence)};
  RETURN_IF_ERROR(CreateFolders(FolderOf(root, backbone)));
  if (!IsFile(weights.path)) RETURN_IF_ERROR(WriteFileDurably(weights.path, safetensors));
  RETURN_IF_ERROR(WriteFileDurably(RecordOf(root, backbone, sha256), ToJson(weights)));
  RETURN_IF_ERROR(WriteFileDurably(FolderOf(root, backbone) + "/current", ToJson(weights)));
  return weights;
}

absl::StatusOr<StoredWeights> CurrentWeights(const std::string& root, absl::string_view backbone) {
  RETURN_IF_ERROR(ValidateName("backbone", backbone));
  return Found(ReadRecord(root, backbone, FolderOf(root, backbone) + "/current"), backbone, backbone);
}

absl::StatusOr<StoredWeights> FindWeights(const std::string& root, absl::string_view backbone,
                                          absl::string_view sha256) {
  RETURN_IF_ERROR(ValidateName("backbone", backbone));
  if (!IsSha256Hex(sha256)) return InvalidField("weights_sha256", "must be 64 lower-case hex digits");
  return Found(ReadRecord(root, backbone, RecordOf(root, backbone, sha256)), backbone,
               absl::StrCat(backbone, "/", sha256));
}

}  // namespace graft::weights
