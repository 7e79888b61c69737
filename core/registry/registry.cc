#include "core/registry/registry.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/registry/alias_rows.h"
#include "core/registry/version_rows.h"
#include "core/store/transaction.h"

namespace graft::registry {
namespace {

absl::Status CheckNoAliasPointsTo(store::Transaction& transaction, const std::string& model, int number) {
  std::vector<std::string> aliases;
  for (const auto& [alias, target] : ReadAliases(transaction, model)) {
    if (target == number) aliases.push_back(alias);
  }
  if (aliases.empty()) return absl::OkStatus();
  return PreconditionFailed(
      absl::StrCat(model, ":", number),
      absl::StrCat(aliases.size() == 1 ? "the alias " : "the aliases ", absl::StrJoin(aliases, ", "),
                   aliases.size() == 1 ? " points" : " point",
                   " to it; point the alias to another version first (graft model promote, or rollback)"));
}

struct Rollback {
  EarlierMove target;
  bool done = false;  // by an earlier attempt
};

absl::StatusOr<Rollback> PlanRollback(store::Transaction& transaction, const std::string& model,
                                      const std::string& alias, std::optional<int> from) {
  ASSIGN_OR_RETURN(const int current, ResolveReference(transaction, {.name = model, .number = {}, .alias = alias}));
  if (!from || *from == current) {
    ASSIGN_OR_RETURN(const EarlierMove target, FindRollbackTarget(transaction, model, alias, current));
    return Rollback{.target = target};
  }
  if (WasRolledBackFrom(transaction, model, alias, *from)) return Rollback{.target = {current}, .done = true};
  return PreconditionFailed(absl::StrCat(model, "@", alias),
                            absl::StrCat("the alias points to version ", current, ", not ", *from));
}

}  // namespace

absl::StatusOr<int> Registry::Publish(store::Transaction& transaction, const Staged& staged, const std::string& alias) {
  if (!alias.empty()) RETURN_IF_ERROR(ValidateName("alias", alias));
  const int number = TakeNumber(transaction, staged.model);
  InsertVersion(transaction, staged, number);
  if (!alias.empty()) MoveAlias(transaction, staged.model, alias, number);
  return number;
}

absl::StatusOr<ModelVersion> Registry::Find(const VersionReference& reference) {
  ModelVersion version;
  RETURN_IF_ERROR(database_->Read("find model version", [&](store::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const int number, ResolveReference(transaction, reference));
    ASSIGN_OR_RETURN(version, ReadVersion(transaction, root_, reference.name, number));
    return absl::OkStatus();
  }));
  return version;
}

absl::StatusOr<int> Registry::ResolveNumber(const VersionReference& reference) {
  int number = 0;
  RETURN_IF_ERROR(database_->Read("find model version", [&](store::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(number, ResolveReference(transaction, reference));
    return absl::OkStatus();
  }));
  return number;
}

absl::StatusOr<std::vector<ModelSummary>> Registry::ListModels(absl::string_view after_name, int limit) {
  std::vector<ModelSummary> summaries;
  RETURN_IF_ERROR(database_->Read("list models", [&](store::Transaction& transaction) -> absl::Status {
    for (const std::string& model : ReadModelNames(transaction, std::string(after_name), limit)) {
      ASSIGN_OR_RETURN(const int number, ResolveReference(transaction, {.name = model}));
      ModelSummary summary{.aliases = ReadAliases(transaction, model),
                           .version_count = CountVersions(transaction, model)};
      ASSIGN_OR_RETURN(summary.latest, ReadVersion(transaction, root_, model, number));
      summaries.push_back(std::move(summary));
    }
    return absl::OkStatus();
  }));
  return summaries;
}

absl::StatusOr<std::vector<ModelVersion>> Registry::ListVersions(const std::string& model, int before_number,
                                                                 int limit) {
  std::vector<ModelVersion> versions;
  RETURN_IF_ERROR(database_->Read("list model versions", [&](store::Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(CheckModelExists(transaction, model));
    for (int number : ReadNumbers(transaction, model, before_number, limit)) {
      ASSIGN_OR_RETURN(ModelVersion version, ReadVersion(transaction, root_, model, number));
      versions.push_back(std::move(version));
    }
    return absl::OkStatus();
  }));
  return versions;
}

absl::StatusOr<ModelVersion> Registry::SetAlias(const VersionReference& version, const std::string& alias) {
  RETURN_IF_ERROR(ValidateName("alias", alias));
  ModelVersion result;
  RETURN_IF_ERROR(database_->Write("set alias", [&](store::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const int number, ResolveReference(transaction, version));
    MoveAlias(transaction, version.name, alias, number);
    ASSIGN_OR_RETURN(result, ReadVersion(transaction, root_, version.name, number));
    return absl::OkStatus();
  }));
  return result;
}

absl::StatusOr<ModelVersion> Registry::RollBackAlias(const std::string& model, const std::string& alias,
                                                     std::optional<int> from) {
  ModelVersion result;
  RETURN_IF_ERROR(database_->Write("roll back alias", [&](store::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const Rollback rollback, PlanRollback(transaction, model, alias, from));
    if (!rollback.done) MoveAliasBack(transaction, model, alias, rollback.target);
    ASSIGN_OR_RETURN(result, ReadVersion(transaction, root_, model, rollback.target.number));
    return absl::OkStatus();
  }));
  return result;
}

absl::StatusOr<int> Registry::RollbackTarget(const std::string& model, const std::string& alias,
                                             std::optional<int> from) {
  int number = 0;
  RETURN_IF_ERROR(database_->Read("find rollback target", [&](store::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const Rollback rollback, PlanRollback(transaction, model, alias, from));
    number = rollback.target.number;
    return absl::OkStatus();
  }));
  return number;
}

absl::StatusOr<std::vector<AliasMove>> Registry::AliasHistory(const std::string& model, const std::string& alias,
                                                              int64_t before_sequence, int limit) {
  std::vector<AliasMove> moves;
  RETURN_IF_ERROR(database_->Read("list alias history", [&](store::Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(CheckModelExists(transaction, model));
    moves = ReadAliasHistory(transaction, model, alias, before_sequence, limit);
    return absl::OkStatus();
  }));
  return moves;
}

absl::Status Registry::Delete(const std::string& model, int number) {
  std::string folder;
  RETURN_IF_ERROR(database_->Write("delete model version", [&](store::Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(ResolveReference(transaction, {.name = model, .number = number, .alias = {}}).status());
    RETURN_IF_ERROR(CheckNoAliasPointsTo(transaction, model, number));
    folder = DeleteVersion(transaction, model, number);
    return absl::OkStatus();
  }));
  // The version is gone whatever becomes of its files: those that stay are an orphan, which the next start removes.
  RemoveFiles(folder).IgnoreError();
  return absl::OkStatus();
}

absl::StatusOr<bool> Registry::AliasUsesBackbone(const std::string& alias, const std::string& backbone_sha256) {
  int versions = 0;
  RETURN_IF_ERROR(database_->Read("find versions of a backbone", [&](store::Transaction& transaction) {
    transaction.sql() << "SELECT COUNT(*) FROM model_aliases JOIN model_versions USING (model, number) "
                         "WHERE alias = :alias AND backbone_sha256 = :backbone_sha256",
        soci::use(alias), soci::use(backbone_sha256), soci::into(versions);
    return absl::OkStatus();
  }));
  return versions > 0;
}

absl::StatusOr<std::vector<int>> Registry::ListNumbers(const std::string& model, int limit) {
  std::vector<int> numbers;
  RETURN_IF_ERROR(database_->Read("list version numbers", [&](store::Transaction& transaction) {
    numbers = ReadNumbers(transaction, model, 0, limit);
    return absl::OkStatus();
  }));
  return numbers;
}

absl::StatusOr<std::vector<std::pair<std::string, int>>> Registry::ListAllNumbers(int limit) {
  std::vector<std::pair<std::string, int>> numbers;
  RETURN_IF_ERROR(database_->Read("list version numbers", [&](store::Transaction& transaction) {
    numbers = ReadAllNumbers(transaction, limit);
    return absl::OkStatus();
  }));
  return numbers;
}

absl::StatusOr<Registry::Counts> Registry::Count() {
  Counts counts;
  RETURN_IF_ERROR(database_->Read("count models", [&](store::Transaction& transaction) {
    transaction.sql() << "SELECT COUNT(DISTINCT model), COUNT(*) FROM model_versions", soci::into(counts.models),
        soci::into(counts.versions);
    return absl::OkStatus();
  }));
  return counts;
}

absl::StatusOr<Registry::AliasMoveCounts> Registry::CountAliasMoves() {
  long long moves = 0, rollbacks = 0;
  RETURN_IF_ERROR(database_->Read("count moves of aliases", [&](store::Transaction& transaction) {
    transaction.sql() << "SELECT COUNT(*), TOTAL(is_rollback) FROM model_alias_history", soci::into(moves),
        soci::into(rollbacks);
    return absl::OkStatus();
  }));
  return AliasMoveCounts{.promotions = moves - rollbacks, .rollbacks = rollbacks};
}

}  // namespace graft::registry
