// SQL of model versions: the rows behind Registry. Steps inside a transaction; they throw as SOCI does.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/ids.h"
#include "core/registry/registry.h"

namespace graft::registry {

// Takes the model's next number.
int TakeNumber(store::Transaction& transaction, const std::string& model);
void InsertVersion(store::Transaction& transaction, const Staged& staged, int number);
// Returns its folder, relative to the models folder. The version must exist.
std::string DeleteVersion(store::Transaction& transaction, const std::string& model, int number);

// ResourceNotFound naming what exists.
absl::Status CheckModelExists(store::Transaction& transaction, const std::string& model);
// One SELECT on an index where the version exists.
absl::StatusOr<int> ResolveReference(store::Transaction& transaction, const VersionReference& reference);
absl::StatusOr<ModelVersion> ReadVersion(store::Transaction& transaction, const std::string& root,
                                         const std::string& model, int number);

bool HasVersion(store::Transaction& transaction, const std::string& model, int number);
// Newest first, below `before_number`.
std::vector<int> ReadNumbers(store::Transaction& transaction, const std::string& model, int before_number, int limit);
// By model and number.
std::vector<std::pair<std::string, int>> ReadAllNumbers(store::Transaction& transaction, int limit);
// Of the models that have a version.
std::vector<std::string> ReadModelNames(store::Transaction& transaction, const std::string& after_name, int limit);
int CountVersions(store::Transaction& transaction, const std::string& model);
bool HasFolder(store::Transaction& transaction, const std::string& folder);

}  // namespace graft::registry
