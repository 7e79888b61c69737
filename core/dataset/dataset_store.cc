#include "core/dataset/dataset_store.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/dataset/split.h"
#include "core/dataset/version_rows.h"
#include "core/store/transaction.h"

namespace graft::dataset {
namespace {

using soci::into;
using soci::use;

struct StoredSplit {
  std::string hash;
  std::string assignment;  // one of "tve" for each example
};

// The primary key of dataset_splits.
struct SplitKey {
  const Version& version;
  std::string train, validation;  // fractions as text that reads back to the same double
  long long seed;
  Folds folds;
};

SplitKey KeyOf(const Version& version, const SplitFractions& fractions, uint32_t seed, const Folds& folds) {
  return {version, absl::StrFormat("%.17g", fractions.train), absl::StrFormat("%.17g", fractions.validation), seed,
          folds};
}

std::optional<StoredSplit> ReadSplit(store::Transaction& transaction, const SplitKey& key) {
  StoredSplit split;
  transaction.sql()
      << "SELECT hash, assignment FROM dataset_splits WHERE version_id = "
         "(SELECT id FROM dataset_versions WHERE dataset = :d AND number = :n) "
         "AND train_fraction = :t AND validation_fraction = :v AND seed = :s AND folds = :f AND fold = :i",
      use(key.version.dataset), use(key.version.number), use(key.train), use(key.validation), use(key.seed),
      use(key.folds.count), use(key.folds.test), into(split.hash), into(split.assignment);
  return transaction.sql().got_data() ? std::optional<StoredSplit>(split) : std::nullopt;
}

void InsertSplit(store::Transaction& transaction, const SplitKey& key, const StoredSplit& split) {
  transaction.sql()
      << "INSERT INTO dataset_splits (version_id, train_fraction, validation_fraction, seed, folds, fold, "
         "hash, assignment) SELECT id, :t, :v, :s, :f, :i, :hash, :assignment FROM dataset_versions "
         "WHERE dataset = :d AND number = :n",
      use(key.train), use(key.validation), use(key.seed), use(key.folds.count), use(key.folds.test), use(split.hash),
      use(split.assignment), use(key.version.dataset), use(key.version.number);
}

std::string Encode(const std::vector<Split>& splits) {
  std::string text;
  for (Split split : splits) text += split == Split::kTrain ? 't' : split == Split::kValidation ? 'v' : 'e';
  return text;
}

absl::StatusOr<SplitIndices> Decode(const StoredSplit& stored, const Version& version) {
  SplitIndices indices{.hash = stored.hash};
  for (int i = 0; i < static_cast<int>(stored.assignment.size()); ++i) {
    const char part = stored.assignment[i];
    (part == 't' ? indices.train : part == 'v' ? indices.validation : indices.test).push_back(i);
  }
  if (static_cast<int>(stored.assignment.size()) == version.image_count) return indices;
  return absl::DataLossError(absl::StrCat("stored split of ", VersionName("datasets", version.dataset, version.number),
                                          " covers ", stored.assignment.size(), " images, the version has ",
                                          version.image_count));
}

}  // namespace

absl::StatusOr<Version> DatasetStore::Find(const VersionReference& reference) {
  Version version;
  RETURN_IF_ERROR(database_->Read("find data set", [&](store::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(version, FindVersion(transaction, reference));
    return absl::OkStatus();
  }));
  return version;
}

absl::StatusOr<std::vector<Version>> DatasetStore::List(absl::string_view after_name, int limit) {
  std::vector<Version> versions;
  RETURN_IF_ERROR(database_->Read("list data sets", [&](store::Transaction& transaction) {
    for (const std::string& name : ReadDatasetNames(transaction, std::string(after_name), limit)) {
      if (std::optional<Version> latest = LatestVersion(transaction, name)) versions.push_back(*std::move(latest));
    }
    return absl::OkStatus();
  }));
  return versions;
}

absl::StatusOr<DatasetStore::Counts> DatasetStore::Count() {
  Counts counts;
  RETURN_IF_ERROR(database_->Read("count data sets", [&](store::Transaction& transaction) {
    transaction.sql() << "SELECT COUNT(DISTINCT dataset), COUNT(*) FROM dataset_versions", soci::into(counts.datasets),
        soci::into(counts.versions);
    return absl::OkStatus();
  }));
  return counts;
}

absl::StatusOr<std::vector<Example>> DatasetStore::Examples(const Version& version) {
  std::vector<Example> examples;
  RETURN_IF_ERROR(database_->Read("read data set", [&](store::Transaction& transaction) {
    examples = ReadExamples(transaction, version);
    return absl::OkStatus();
  }));
  if (static_cast<int>(examples.size()) == version.image_count) return examples;
  return absl::DataLossError(absl::StrCat(VersionName("datasets", version.dataset, version.number), " has rows for ",
                                          examples.size(), " of its ", version.image_count, " images"));
}

absl::StatusOr<Report> DatasetStore::GetReport(const VersionReference& reference) {
  Report report;
  RETURN_IF_ERROR(database_->Read("read data set report", [&](store::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const Version version, FindVersion(transaction, reference));
    ASSIGN_OR_RETURN(report, ReadReport(transaction, version));
    return absl::OkStatus();
  }));
  return report;
}

absl::StatusOr<SplitIndices> DatasetStore::OpenSplit(const Version& version, double train_fraction,
                                                     double validation_fraction, uint32_t seed, const Folds& folds) {
  const SplitFractions fractions{.train = train_fraction, .validation = validation_fraction};
  RETURN_IF_ERROR(CheckFractions(fractions));
  RETURN_IF_ERROR(CheckFolds(folds));
  const SplitKey key = KeyOf(version, fractions, seed, folds);
  std::optional<StoredSplit> stored;
  RETURN_IF_ERROR(database_->Read("read split", [&](store::Transaction& transaction) {
    stored = ReadSplit(transaction, key);
    return absl::OkStatus();
  }));
  if (stored) return Decode(*stored, version);

  ASSIGN_OR_RETURN(const std::vector<Example> examples, Examples(version));
  ASSIGN_OR_RETURN(const std::vector<Split> splits, AssignSplits(examples, version.labels, fractions, seed, folds));
  const StoredSplit fresh{.hash = HashOfSplit(examples, splits), .assignment = Encode(splits)};
  RETURN_IF_ERROR(database_->Write("store split", [&](store::Transaction& transaction) {
    // Another process may have been first: then its split is the one.
    stored = ReadSplit(transaction, key);
    if (!stored) InsertSplit(transaction, key, fresh);
    return absl::OkStatus();
  }));
  return Decode(stored.value_or(fresh), version);
}

}  // namespace graft::dataset
