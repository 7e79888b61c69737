#include "core/registry/version_rows.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/registry/alias_rows.h"
#include "core/store/transaction.h"

namespace graft::registry {
namespace {

using soci::into;
using soci::use;

// How many names an error lists.
constexpr int kNamesInHint = 5;

std::string Listing(absl::string_view plural, std::vector<std::string> names) {
  const bool more = static_cast<int>(names.size()) > kNamesInHint;
  if (more) names.resize(kNamesInHint);
  return absl::StrCat(plural, absl::StrJoin(names, ", "), more ? ", ..." : "");
}

std::string VersionsHint(store::Transaction& transaction, const std::string& model) {
  const std::vector<int> numbers = ReadNumbers(transaction, model, 0, kNamesInHint + 1);
  std::vector<std::string> names;
  names.reserve(numbers.size());
  for (int number : numbers) names.push_back(absl::StrCat(number));
  return names.empty() ? "the model has no version left" : Listing("versions are ", names);
}

std::string AliasesHint(store::Transaction& transaction, const std::string& model) {
  std::vector<std::string> names;
  for (const auto& [alias, number] : ReadAliases(transaction, model)) names.push_back(alias);
  if (names.empty()) return "the model has no aliases";
  return Listing("aliases are ", names);
}

// Numbers are given out without gaps and never again.
bool WasDeleted(soci::session& sql, const std::string& model, int number) {
  int last_number = 0;
  sql << "SELECT last_number FROM models WHERE name = :name", use(model), into(last_number);
  return sql.got_data() && number <= last_number;
}

// Why ResolveReference found nothing. Only a miss pays for finding out.
absl::Status Missing(store::Transaction& transaction, const VersionReference& reference) {
  const std::string& model = reference.name;
  RETURN_IF_ERROR(CheckModelExists(transaction, model));
  if (reference.alias) {
    return ResourceNotFound("model alias", absl::StrCat(model, "@", *reference.alias), AliasesHint(transaction, model));
  }
  if (!reference.number) return ResourceNotFound("model version", model, "all its versions have been deleted");
  const bool deleted = WasDeleted(transaction.sql(), model, *reference.number);
  return ResourceNotFound("model version", absl::StrCat(model, ":", *reference.number),
                          absl::StrCat(deleted ? "it has been deleted; " : "", VersionsHint(transaction, model)));
}

}  // namespace

int TakeNumber(store::Transaction& transaction, const std::string& model) {
  soci::session& sql = transaction.sql();
  sql << "INSERT INTO models (name, last_number) VALUES (:name, 1) "
         "ON CONFLICT (name) DO UPDATE SET last_number = last_number + 1",
      use(model);
  int number = 0;
  sql << "SELECT last_number FROM models WHERE name = :name", use(model), into(number);
  return number;
}

void InsertVersion(store::Transaction& transaction, const Staged& staged, int number) {
  const long long now = absl::ToUnixMicros(absl::Now());
  const long long size = staged.size_bytes;
  const long long backbone_size = staged.backbone_size_bytes;
  transaction.sql()
      << "INSERT INTO model_versions (model, number, create_time_us, backbone, backbone_sha256, "
         "head_sha256, folder, job_id, manifest, size_bytes, backbone_size_bytes) VALUES (:model, :number, "
         ":time, :backbone, :backbone_sha256, :head_sha256, :folder, :job, :manifest, :size, "
         ":backbone_size)",
      use(staged.model), use(number), use(now), use(staged.backbone), use(staged.backbone_sha256),
      use(staged.head_sha256), use(staged.folder), use(staged.job_id), use(staged.manifest), use(size),
      use(backbone_size);
}

std::string DeleteVersion(store::Transaction& transaction, const std::string& model, int number) {
  soci::session& sql = transaction.sql();
  std::string folder;
  sql << "SELECT folder FROM model_versions WHERE model = :model AND number = :number", use(model), use(number),
      into(folder);
  sql << "DELETE FROM model_versions WHERE model = :model AND number = :number", use(model), use(number);
  return folder;
}

absl::Status CheckModelExists(store::Transaction& transaction, const std::string& model) {
  int count = 0;
  transaction.sql() << "SELECT COUNT(*) FROM models WHERE name = :name", use(model), into(count);
  if (count > 0) return absl::OkStatus();
  return ResourceNotFound("model", model, "graft model list shows those there are");
}

absl::StatusOr<int> ResolveReference(store::Transaction& transaction, const VersionReference& reference) {
  if (reference.alias) {
    if (std::optional<int> number = NumberOfAlias(transaction, reference.name, *reference.alias)) return *number;
  } else if (reference.number) {
    if (HasVersion(transaction, reference.name, *reference.number)) return *reference.number;
  } else {
    const std::vector<int> latest = ReadNumbers(transaction, reference.name, 0, 1);
    if (!latest.empty()) return latest.front();
  }
  return Missing(transaction, reference);
}

absl::StatusOr<ModelVersion> ReadVersion(store::Transaction& transaction, const std::string& root,
                                         const std::string& model, int number) {
  soci::session& sql = transaction.sql();
  ModelVersion version{.model = model, .number = number};
  long long time = 0;
  long long size = 0;
  long long backbone_size = 0;
  std::string folder;
  sql << "SELECT create_time_us, backbone, backbone_sha256, head_sha256, folder, job_id, manifest, size_bytes, "
         "backbone_size_bytes FROM model_versions WHERE model = :model AND number = :number",
      use(model), use(number), into(time), into(version.backbone), into(version.backbone_sha256),
      into(version.head_sha256), into(folder), into(version.job_id), into(version.manifest), into(size),
      into(backbone_size);
  if (!sql.got_data()) return absl::DataLossError(absl::StrCat("model version ", model, ":", number, " has no row"));
  version.create_time = absl::FromUnixMicros(time);
  version.size_bytes = size;
  version.backbone_size_bytes = backbone_size;
  version.head_path = absl::StrCat(root, "/", folder, "/head.safetensors");
  version.evaluation_path = absl::StrCat(root, "/", folder, "/evaluation.json");
  if (backbone_size > 0) version.backbone_path = absl::StrCat(root, "/", folder, "/backbone.safetensors");
  for (const auto& [alias, target] : ReadAliases(transaction, model)) {
    if (target == number) version.aliases.push_back(alias);
  }
  return version;
}

bool HasVersion(store::Transaction& transaction, const std::string& model, int number) {
  int count = 0;
  transaction.sql() << "SELECT COUNT(*) FROM model_versions WHERE model = :model AND number = :number", use(model),
      use(number), into(count);
  return count > 0;
}

std::vector<int> ReadNumbers(store::Transaction& transaction, const std::string& model, int before_number, int limit) {
  std::vector<int> numbers;
  int number = 0;
  soci::statement select = (transaction.sql().prepare << "SELECT number FROM model_versions WHERE model = :model AND "
                                                         "(:before = 0 OR number < :before) "
                                                         "ORDER BY number DESC LIMIT :limit",
                            use(model, "model"), use(before_number, "before"), use(limit, "limit"), into(number));
  for (select.execute(); select.fetch();) numbers.push_back(number);
  return numbers;
}

std::vector<std::pair<std::string, int>> ReadAllNumbers(store::Transaction& transaction, int limit) {
  std::vector<std::pair<std::string, int>> numbers;
  std::string model;
  int number = 0;
  soci::statement select = (transaction.sql().prepare << "SELECT model, number FROM model_versions "
                                                         "ORDER BY model, number LIMIT :limit",
                            use(limit, "limit"), into(model), into(number));
  for (select.execute(); select.fetch();) numbers.emplace_back(model, number);
  return numbers;
}

std::vector<std::string> ReadModelNames(store::Transaction& transaction, const std::string& after_name, int limit) {
  std::vector<std::string> names;
  std::string name;
  soci::statement select = (transaction.sql().prepare << "SELECT name FROM models WHERE name > :after AND "
                                                         "EXISTS (SELECT 1 FROM model_versions WHERE model = name) "
                                                         "ORDER BY name LIMIT :limit",
                            use(after_name), use(limit), into(name));
  for (select.execute(); select.fetch();) names.push_back(name);
  return names;
}

int CountVersions(store::Transaction& transaction, const std::string& model) {
  int count = 0;
  transaction.sql() << "SELECT COUNT(*) FROM model_versions WHERE model = :model", use(model), into(count);
  return count;
}

bool HasFolder(store::Transaction& transaction, const std::string& folder) {
  int count = 0;
  transaction.sql() << "SELECT COUNT(*) FROM model_versions WHERE folder = :folder", use(folder), into(count);
  return count > 0;
}

}  // namespace graft::registry
