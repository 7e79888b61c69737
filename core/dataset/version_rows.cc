#include "core/dataset/version_rows.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/dataset/audit.h"
#include "core/store/transaction.h"

namespace graft::dataset {
namespace {

using soci::into;
using soci::use;

// How many names an error lists.
constexpr int kNamesInHint = 5;
// Of quarantined files in a report.
constexpr int kListedQuarantined = 1000;

std::string Listing(absl::string_view plural, std::vector<std::string> names) {
  const bool more = static_cast<int>(names.size()) > kNamesInHint;
  if (more) names.resize(kNamesInHint);
  return absl::StrCat(plural, absl::StrJoin(names, ", "), more ? ", ..." : "");
}

std::string VersionsHint(soci::session& sql, const std::string& dataset) {
  const int limit = kNamesInHint + 1;
  std::vector<std::string> names;
  int number = 0;
  soci::statement select =
      (sql.prepare << "SELECT number FROM dataset_versions WHERE dataset = :d ORDER BY number DESC LIMIT :limit",
       use(dataset), use(limit), into(number));
  for (select.execute(); select.fetch();) names.push_back(absl::StrCat(number));
  return Listing("versions are ", names);
}

void ReadLabels(soci::session& sql, long long id, Version& version) {
  std::string label;
  int images = 0;
  soci::statement select = (sql.prepare << "SELECT label, image_count FROM dataset_labels WHERE version_id = :id "
                                           "ORDER BY position",
                            use(id), into(label), into(images));
  for (select.execute(); select.fetch();) {
    version.labels.push_back(label);
    version.images_per_label.push_back(images);
  }
}

std::optional<Version> ReadVersion(soci::session& sql, const std::string& dataset, int number) {
  Version version{.dataset = dataset, .number = number};
  long long id = 0;
  long long time = 0;
  long long size = 0;
  sql << "SELECT id, create_time_us, digest, image_count, quarantined_count, size_bytes FROM dataset_versions "
         "WHERE dataset = :d AND number = :n",
      use(dataset), use(number), into(id), into(time), into(version.digest), into(version.image_count),
      into(version.quarantined_count), into(size);
  if (!sql.got_data()) return std::nullopt;
  version.create_time = absl::FromUnixMicros(time);
  version.size_bytes = size;
  ReadLabels(sql, id, version);
  return version;
}

int LatestNumber(soci::session& sql, const std::string& dataset) {
  int number = 0;
  sql << "SELECT COALESCE(MAX(number), 0) FROM dataset_versions WHERE dataset = :d", use(dataset), into(number);
  return number;
}

long long IdOf(soci::session& sql, const std::string& dataset, int number) {
  long long id = 0;
  sql << "SELECT id FROM dataset_versions WHERE dataset = :d AND number = :n", use(dataset), use(number), into(id);
  return id;
}

long long InsertVersionRow(soci::session& sql, const NewVersion& content, int number) {
  const Version& version = content.version;
  const long long now = absl::ToUnixMicros(absl::Now());
  const long long size = version.size_bytes;
  sql << "INSERT INTO dataset_versions (dataset, number, create_time_us, digest, image_count, quarantined_count, "
         "size_bytes, audit) VALUES (:dataset, :number, :time, :digest, :images, :quarantined, :size, :audit)",
      use(version.dataset), use(number), use(now), use(version.digest), use(version.image_count),
      use(version.quarantined_count), use(size), use(content.audit);
  return IdOf(sql, version.dataset, number);
}

void InsertLabels(soci::session& sql, long long id, const Version& version) {
  for (int position = 0; position < static_cast<int>(version.labels.size()); ++position) {
    sql << "INSERT INTO dataset_labels (version_id, position, label, image_count) VALUES (:id, :position, :label, :n)",
        use(id), use(position), use(version.labels[position]), use(version.images_per_label[position]);
  }
}

void InsertExamples(soci::session& sql, long long id, const std::vector<Example>& examples) {
  int position = 0;
  int split = 0;
  Example row;
  soci::statement insert = (sql.prepare << "INSERT INTO dataset_examples (version_id, position, path, label_position, "
                                           "sha256, given_split, cluster, group_name) "
                                           "VALUES (:id, :position, :path, :label, :sha256, :s, :cluster, :group)",
                            use(id), use(position), use(row.path), use(row.label), use(row.sha256), use(split),
                            use(row.cluster), use(row.group));
  for (const Example& example : examples) {
    row = example;
    split = static_cast<int>(example.given_split);
    insert.execute(/*withDataExchange=*/true);
    ++position;
  }
}

void InsertQuarantined(soci::session& sql, long long id, const std::vector<QuarantinedFile>& files) {
  int position = 0;
  QuarantinedFile row;
  soci::statement insert =
      (sql.prepare << "INSERT INTO dataset_quarantined (version_id, position, path, label, reason) "
                      "VALUES (:id, :position, :path, :label, :reason)",
       use(id), use(position), use(row.path), use(row.label), use(row.reason));
  for (const QuarantinedFile& file : files) {
    row = file;
    insert.execute(/*withDataExchange=*/true);
    ++position;
  }
}

std::vector<QuarantinedFile> ReadQuarantined(soci::session& sql, const Version& version) {
  std::vector<QuarantinedFile> files;
  QuarantinedFile file;
  soci::statement select = (sql.prepare << "SELECT path, label, reason FROM dataset_quarantined WHERE version_id = "
                                           "(SELECT id FROM dataset_versions WHERE dataset = :d AND number = :n) "
                                           "ORDER BY position LIMIT :limit",
                            use(version.dataset), use(version.number), use(kListedQuarantined), into(file.path),
                            into(file.label), into(file.reason));
  for (select.execute(); select.fetch();) files.push_back(file);
  return files;
}

std::string ReadAudit(soci::session& sql, const Version& version) {
  std::string audit;
  sql << "SELECT audit FROM dataset_versions WHERE dataset = :d AND number = :n", use(version.dataset),
      use(version.number), into(audit);
  return audit;
}

std::map<std::string, int> CountFormats(soci::session& sql, const Version& version) {
  std::map<std::string, int> formats;
  std::string format;
  int images = 0;
  soci::statement select =
      (sql.prepare << "SELECT f.format, COUNT(*) FROM dataset_examples e JOIN image_facts f ON f.sha256 = e.sha256 "
                      "WHERE e.version_id = (SELECT id FROM dataset_versions WHERE dataset = :d AND number = :n) "
                      "GROUP BY f.format",
       use(version.dataset), use(version.number), into(format), into(images));
  for (select.execute(); select.fetch();) formats[format] = images;
  return formats;
}

// At least one value.
void Summarise(std::vector<int> values, int& smallest, int& median, int& largest) {
  std::sort(values.begin(), values.end());
  smallest = values.front();
  median = values[values.size() / 2];
  largest = values.back();
}

}  // namespace

int InsertVersion(store::Transaction& transaction, const NewVersion& content) {
  soci::session& sql = transaction.sql();
  const int number = LatestNumber(sql, content.version.dataset) + 1;
  const long long id = InsertVersionRow(sql, content, number);
  InsertLabels(sql, id, content.version);
  InsertExamples(sql, id, content.examples);
  InsertQuarantined(sql, id, content.quarantined);
  return number;
}

void AddMissingAudit(store::Transaction& transaction, const Version& stored, const NewVersion& content) {
  soci::session& sql = transaction.sql();
  if (!ReadAudit(sql, stored).empty()) return;
  const long long id = IdOf(sql, stored.dataset, stored.number);
  sql << "UPDATE dataset_versions SET audit = :audit WHERE id = :id", use(content.audit), use(id);
  int position = 0;
  int cluster = 0;
  soci::statement update =
      (sql.prepare << "UPDATE dataset_examples SET cluster = :cluster WHERE version_id = :id AND position = :position",
       use(cluster), use(id), use(position));
  for (const Example& example : content.examples) {
    cluster = example.cluster;
    if (cluster != 0) update.execute(/*withDataExchange=*/true);
    ++position;
  }
}

absl::StatusOr<Version> FindVersion(store::Transaction& transaction, const VersionReference& reference) {
  if (reference.alias) return InvalidField("dataset", "data sets have no aliases: name a version, as in 'animals:3'");
  soci::session& sql = transaction.sql();
  const int latest = LatestNumber(sql, reference.name);
  if (latest == 0) return ResourceNotFound("dataset", reference.name, "graft dataset list shows those there are");
  if (std::optional<Version> version = ReadVersion(sql, reference.name, reference.number.value_or(latest))) {
    return *std::move(version);
  }
  return ResourceNotFound("dataset version", absl::StrCat(reference.name, ":", *reference.number),
                          VersionsHint(sql, reference.name));
}

std::optional<Version> LatestVersion(store::Transaction& transaction, const std::string& dataset) {
  return ReadVersion(transaction.sql(), dataset, LatestNumber(transaction.sql(), dataset));
}

std::vector<std::string> ReadDatasetNames(store::Transaction& transaction, const std::string& after_name, int limit) {
  std::vector<std::string> names;
  std::string name;
  soci::statement select = (transaction.sql().prepare << "SELECT dataset FROM dataset_versions WHERE dataset > :after "
                                                         "GROUP BY dataset ORDER BY dataset LIMIT :limit",
                            use(after_name), use(limit), into(name));
  for (select.execute(); select.fetch();) names.push_back(name);
  return names;
}

std::vector<Example> ReadExamples(store::Transaction& transaction, const Version& version) {
  std::vector<Example> examples;
  examples.reserve(version.image_count);
  Example row;
  int split = 0;
  soci::statement select =
      (transaction.sql().prepare
           << "SELECT e.path, e.label_position, e.sha256, e.given_split, e.cluster, e.group_name, f.width, f.height "
              "FROM dataset_examples e JOIN image_facts f ON f.sha256 = e.sha256 WHERE e.version_id = "
              "(SELECT id FROM dataset_versions WHERE dataset = :d AND number = :n) ORDER BY e.position",
       use(version.dataset), use(version.number), into(row.path), into(row.label), into(row.sha256), into(split),
       into(row.cluster), into(row.group), into(row.width), into(row.height));
  for (select.execute(); select.fetch();) {
    row.given_split = static_cast<Split>(split);
    examples.push_back(row);
  }
  return examples;
}

absl::StatusOr<Report> ReadReport(store::Transaction& transaction, const Version& version) {
  Report report{.version = version,
                .formats = CountFormats(transaction.sql(), version),
                .quarantined = ReadQuarantined(transaction.sql(), version)};
  if (const std::string audit = ReadAudit(transaction.sql(), version); !audit.empty()) {
    ASSIGN_OR_RETURN(report.audit, AuditFromJson(audit));
  }
  std::vector<int> widths, heights;
  for (const Example& example : ReadExamples(transaction, version)) {
    widths.push_back(example.width);
    heights.push_back(example.height);
    if (example.given_split != Split::kUnspecified) ++report.given_splits[example.given_split];
  }
  if (widths.empty()) return report;
  Summarise(std::move(widths), report.min_width, report.median_width, report.max_width);
  Summarise(std::move(heights), report.min_height, report.median_height, report.max_height);
  return report;
}

}  // namespace graft::dataset
