// SQL of data set versions: the rows behind DatasetStore and Import. Steps inside a transaction; they throw as SOCI
// does.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/ids.h"
#include "core/dataset/dataset.h"
#include "core/store/database.h"

namespace graft::dataset {

// What Import found out, sorted by path.
struct NewVersion {
  Version version;  // number and create_time are set by InsertVersion
  std::vector<Example> examples;
  std::vector<QuarantinedFile> quarantined;
  std::string audit;  // JSON
};

// Takes the data set's next number.
int InsertVersion(store::Transaction& transaction, const NewVersion& content);
// Adds audit and clusters to the stored version with this content, if an older program stored it without.
void AddMissingAudit(store::Transaction& transaction, const Version& stored, const NewVersion& content);

// number or latest. ResourceNotFound naming what exists; InvalidField for an alias.
absl::StatusOr<Version> FindVersion(store::Transaction& transaction, const VersionReference& reference);
// None if the data set has no version yet.
std::optional<Version> LatestVersion(store::Transaction& transaction, const std::string& dataset);
std::vector<std::string> ReadDatasetNames(store::Transaction& transaction, const std::string& after_name, int limit);
std::vector<Example> ReadExamples(store::Transaction& transaction, const Version& version);
absl::StatusOr<Report> ReadReport(store::Transaction& transaction, const Version& version);

}  // namespace graft::dataset
