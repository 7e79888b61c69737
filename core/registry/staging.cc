// Registry's files: <root>/<model>/<id>/ with <root>/<model>/.<id>.lock beside it while somebody is publishing it.
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/digest.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "core/registry/registry.h"
#include "core/registry/version_rows.h"

namespace graft::registry {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kStagingPrefix = ".staging-";
constexpr absl::string_view kLockSuffix = ".lock";

std::string LockPath(const std::string& model_folder, absl::string_view id) {
  return absl::StrCat(model_folder, "/.", id, kLockSuffix);
}

// The lock's file goes with the lock.
absl::StatusOr<std::shared_ptr<FileLock>> LockStaging(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, FileLock::TryAcquire(path, absl::StrCat(getpid(), "\n")));
  return std::shared_ptr<FileLock>(lock.release(), [path](FileLock* held) {
    unlink(path.c_str());
    delete held;
  });
}

absl::Status RemoveFolder(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return absl::InternalError(absl::StrCat("remove ", path.string(), ": ", error.message()));
  return absl::OkStatus();
}

// What one entry of a model's folder belongs to: its id, without staging prefix and lock suffix.
std::string IdOf(absl::string_view name) {
  if (absl::ConsumePrefix(&name, kStagingPrefix)) return std::string(name);
  if (absl::ConsumeSuffix(&name, kLockSuffix)) absl::ConsumePrefix(&name, ".");
  return std::string(name);
}

absl::StatusOr<std::vector<fs::path>> EntriesOf(const std::string& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    entries.push_back(entry->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return absl::InternalError(absl::StrCat("list ", folder, ": ", error.message()));
  }
  return entries;
}

}  // namespace

absl::StatusOr<Staged> Registry::Stage(const std::string& model, const std::string& backbone,
                                       const std::string& backbone_sha256, const std::string& job_id,
                                       const VersionFiles& files) {
  RETURN_IF_ERROR(ValidateName("model", model));
  if (!files.backbone.empty() && Sha256Hex(files.backbone) != backbone_sha256) {
    return absl::InternalError(absl::StrCat("publish ", model, ": the backbone is not of digest ", backbone_sha256));
  }
  const std::string id = NewId();
  const std::string model_folder = absl::StrCat(root_, "/", model);
  RETURN_IF_ERROR(CreateFolders(model_folder));
  // Before the folder, so that whoever sees the folder sees the lock.
  ASSIGN_OR_RETURN(std::shared_ptr<FileLock> lock, LockStaging(LockPath(model_folder, id)));

  const std::string staging = absl::StrCat(model_folder, "/", kStagingPrefix, id);
  absl::Cleanup remove_staging = [&] { RemoveFolder(staging).IgnoreError(); };
  RETURN_IF_ERROR(CreateFolders(staging));
  RETURN_IF_ERROR(WriteFileDurably(staging + "/head.safetensors", files.head));
  RETURN_IF_ERROR(WriteFileDurably(staging + "/manifest.json", files.manifest));
  if (!files.evaluation.empty()) {
    RETURN_IF_ERROR(WriteFileDurably(staging + "/evaluation.json", files.evaluation));
  }
  if (!files.backbone.empty()) RETURN_IF_ERROR(WriteFileDurably(staging + "/backbone.safetensors", files.backbone));
  RETURN_IF_ERROR(RenameDurably(staging, absl::StrCat(model_folder, "/", id)));
  return Staged{.model = model,
                .folder = absl::StrCat(model, "/", id),
                .backbone = backbone,
                .backbone_sha256 = backbone_sha256,
                .head_sha256 = Sha256Hex(files.head),
                .job_id = job_id,
                .manifest = files.manifest,
                .size_bytes = static_cast<int64_t>(files.head.size() + files.manifest.size() + files.evaluation.size() +
                                                   files.backbone.size()),
                .backbone_size_bytes = static_cast<int64_t>(files.backbone.size()),
                .lock = std::move(lock)};
}

absl::Status Registry::RemoveFiles(const std::string& folder) {
  return RemoveFolder(absl::StrCat(root_, "/", folder));
}

absl::Status Registry::RemoveOrphans() {
  ASSIGN_OR_RETURN(const std::vector<fs::path> models, EntriesOf(root_));
  for (const fs::path& model : models) {
    if (!fs::is_directory(model)) continue;
    ASSIGN_OR_RETURN(const std::vector<fs::path> entries, EntriesOf(model.string()));
    for (const fs::path& entry : entries) {
      const std::string id = IdOf(entry.filename().string());
      // The lock is asked before the row: a publisher lets go of it only after its row is committed.
      if (FileLock::IsHeld(LockPath(model.string(), id))) continue;
      bool published = false;
      RETURN_IF_ERROR(database_->Read("find orphans", [&](store::Transaction& transaction) {
        published = HasFolder(transaction, absl::StrCat(model.filename().string(), "/", entry.filename().string()));
        return absl::OkStatus();
      }));
      if (!published) RETURN_IF_ERROR(RemoveFolder(entry));
    }
  }
  return absl::OkStatus();
}

}  // namespace graft::registry
