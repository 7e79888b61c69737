// SQL of aliases and their history: the rows behind Registry. Steps inside a transaction; they throw as SOCI does.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/registry/registry.h"

namespace graft::registry {

std::optional<int> NumberOfAlias(store::Transaction& transaction, const std::string& model, const std::string& alias);
std::map<std::string, int> ReadAliases(store::Transaction& transaction, const std::string& model);

// The version must exist. Where the alias points to it already nothing changes, its history included.
void MoveAlias(store::Transaction& transaction, const std::string& model, const std::string& alias, int number);

// Where a rollback of the alias, which points to `current`, leads.
struct EarlierMove {
  int number = 0;
  int64_t back = 0;  // the sequence that a further rollback returns to
};
// PreconditionFailed when nothing is left to go back to.
absl::StatusOr<EarlierMove> FindRollbackTarget(store::Transaction& transaction, const std::string& model,
                                               const std::string& alias, int current);
void MoveAliasBack(store::Transaction& transaction, const std::string& model, const std::string& alias,
                   const EarlierMove& target);
// The last move of the alias was a rollback from this version.
bool WasRolledBackFrom(store::Transaction& transaction, const std::string& model, const std::string& alias, int number);

// Newest first, below `before_sequence` (0: all), of one alias or (empty) of all of the model's.
std::vector<AliasMove> ReadAliasHistory(store::Transaction& transaction, const std::string& model,
                                        const std::string& alias, int64_t before_sequence, int limit);

}  // namespace graft::registry
