#include "core/registry/registry.h"

#include "core/base/status_macros.h"
#include "core/registry/version_rows.h"
#include "core/store/transaction.h"

namespace graft::registry {

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

absl::StatusOr<Registry::Counts> Registry::Count() {
  Counts counts;
  RETURN_IF_ERROR(database_->Read("count models", [&](store::Transaction& transaction) {
    transaction.sql() << "SELECT COUNT(DISTINCT model), COUNT(*) FROM model_versions", soci::into(counts.models),
        soci::into(counts.versions);
    return absl::OkStatus();
  }));
  return counts;
}

}  // namespace graft::registry
