// Immutable model versions: files under <root>/<model>/<id>/ published by rename after sync, rows and aliases in the
// database. The row is what makes a version exist; a folder without a row is an orphan.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/store/database.h"

namespace graft::registry {

// The alias of what a model's callers are meant to use: kept loaded, and loaded before it is asked for.
inline constexpr char kProductionAlias[] = "production";

// What a version consists of; `manifest` explains it fully.
struct VersionFiles {
  std::string head;        // safetensors: head/kernel [feature_dimension, classes], head/bias [classes], float32
  std::string manifest;    // JSON of core/registry/manifest.h
  std::string evaluation;  // JSON of core/registry/evaluation_record.h; empty: none
  std::string backbone;    // safetensors of its own, fine-tuned backbone; empty: on weights of the store
};

struct ModelVersion {
  std::string model;
  int number = 0;
  absl::Time create_time;
  std::string backbone, backbone_sha256, head_sha256, head_path;
  std::string evaluation_path;  // versions older than evaluation records have no file there
  std::string backbone_path;    // of its own backbone; empty: the weight store has it, shared between versions
  std::string job_id;
  std::string manifest;
  int64_t size_bytes = 0;            // of all its files
  int64_t backbone_size_bytes = 0;   // of them, its own backbone
  std::vector<std::string> aliases;  // sorted
};

// Files in place and synced, row not yet written.
struct Staged {
  std::string model, folder, backbone, backbone_sha256, head_sha256, job_id, manifest;
  int64_t size_bytes = 0, backbone_size_bytes = 0;
  std::shared_ptr<FileLock> lock;  // while it is held, RemoveOrphans leaves the folder alone: keep until committed
};

// One move of an alias.
struct AliasMove {
  int64_t sequence = 0;  // rises from move to move
  std::string alias;
  int number = 0;  // the version it has pointed to since
  int from = 0;    // and before; 0 if the alias was new
  absl::Time time;
  bool is_rollback = false;
  bool version_exists = true;  // false once the version has been deleted
};

struct ModelSummary {
  ModelVersion latest;
  std::map<std::string, int> aliases;
  int version_count = 0;
};

// Thread-safe; several processes share it.
class Registry {
 public:
  Registry(store::Database* database, std::string root) : database_(database), root_(std::move(root)) {}

  // Writes the files beside, syncs, renames into place. `backbone_sha256` is that of files.backbone where it is given:
  // Internal otherwise.
  absl::StatusOr<Staged> Stage(const std::string& model, const std::string& backbone,
                               const std::string& backbone_sha256, const std::string& job_id,
                               const VersionFiles& files);
  // In the caller's transaction: takes the model's next number, inserts the row, sets `alias` if not empty.
  absl::StatusOr<int> Publish(store::Transaction& transaction, const Staged& staged, const std::string& alias);

  // number, alias, or the latest. ResourceNotFound naming what exists.
  absl::StatusOr<ModelVersion> Find(const VersionReference& reference);
  // The number that Find would answer, without reading the version: one SELECT on an index, cheap enough for every
  // Classify. ResourceNotFound from the moment a Delete of the number has committed: whoever keeps versions in memory
  // asks here first, for explicit numbers too.
  absl::StatusOr<int> ResolveNumber(const VersionReference& reference);
  absl::StatusOr<std::vector<ModelSummary>> ListModels(absl::string_view after_name, int limit);
  // Newest first, numbers below `before_number` (0: all). ResourceNotFound for an unknown model.
  absl::StatusOr<std::vector<ModelVersion>> ListVersions(const std::string& model, int before_number, int limit);
  // Points the alias at the version and adds a row to its history; nothing changes where it points there already.
  absl::StatusOr<ModelVersion> SetAlias(const VersionReference& version, const std::string& alias);
  // Points the alias at the version that it pointed to before, deleted ones skipped; once more goes back further still.
  // With `from` the alias must point to that version, and a call that is repeated after it succeeded changes nothing.
  // ResourceNotFound for the alias; PreconditionFailed when nothing is left to go back to, or it points elsewhere.
  absl::StatusOr<ModelVersion> RollBackAlias(const std::string& model, const std::string& alias,
                                             std::optional<int> from);
  // The version that RollBackAlias would answer with now.
  absl::StatusOr<int> RollbackTarget(const std::string& model, const std::string& alias, std::optional<int> from);
  // Newest first, sequences below `before_sequence` (0: all), of one alias or (empty) of all of the model's, gone ones
  // included. ResourceNotFound for an unknown model.
  absl::StatusOr<std::vector<AliasMove>> AliasHistory(const std::string& model, const std::string& alias,
                                                      int64_t before_sequence, int limit);
  // Deletes a version: its row in one transaction, then its files; its number is never given out again. Who had found
  // it before may still read what it holds in memory; its files may be gone already (Find says NotFound then).
  // ResourceNotFound; PreconditionFailed naming the aliases that point to it.
  absl::Status Delete(const std::string& model, int number);
  // Whether some model's `alias` points at a version on this backbone.
  absl::StatusOr<bool> AliasUsesBackbone(const std::string& alias, const std::string& backbone_sha256);
  // The numbers alone: a model's, newest first, or of all models by name and number. At most `limit`.
  absl::StatusOr<std::vector<int>> ListNumbers(const std::string& model, int limit);
  absl::StatusOr<std::vector<std::pair<std::string, int>>> ListAllNumbers(int limit);
  struct Counts {
    int models = 0, versions = 0;
  };
  absl::StatusOr<Counts> Count();
  // How often aliases were moved, since the database was made: both only grow.
  struct AliasMoveCounts {
    int64_t promotions = 0, rollbacks = 0;
  };
  absl::StatusOr<AliasMoveCounts> CountAliasMoves();

  // At start of a server: deletes folders without a row that no living attempt is staging, so also what a crash in the
  // middle of a Delete left.
  absl::Status RemoveOrphans();

 private:
  // Deletes <root>/`folder`.
  absl::Status RemoveFiles(const std::string& folder);

  store::Database* const database_;
  const std::string root_;
};

// What `read` answers for the number that `reference` names, asked again where that fails and an alias has moved on
// meanwhile: the version it named before may have been deleted. `read` takes an int and returns a StatusOr.
template <typename Read>
std::invoke_result_t<Read, int> ReadResolved(Registry& registry, const VersionReference& reference, Read read) {
  absl::StatusOr<int> number = registry.ResolveNumber(reference);
  while (number.ok()) {
    auto answer = read(*number);
    if (answer.ok()) return answer;
    const int before = *number;
    number = registry.ResolveNumber(reference);
    if (number.ok() && *number == before) return answer;
  }
  return number.status();
}

}  // namespace graft::registry
