#include "core/dataset/import.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/cores.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "core/dataset/announcement.h"
#include "core/dataset/audit.h"
#include "core/dataset/image_facts.h"
#include "core/dataset/version_rows.h"

namespace graft::dataset {
namespace {

// One sync per group of blobs: what a lost connection sends again is at most this.
constexpr int64_t kGroupBytes = 8 << 20;
constexpr size_t kGroupBlobs = 256;
// How many bad files an error lists.
constexpr size_t kFilesInError = 3;

std::string DigestOf(const std::vector<AnnouncedFile>& files) {
  Sha256 sha;
  for (const AnnouncedFile& file : files) {
    const absl::string_view nul("\0", 1);
    sha.Update(absl::StrCat(file.path, nul, file.label, nul, static_cast<int>(file.split), nul, file.sha256));
    // Only where there is one, so that digests of versions without groups stay what they were.
    if (!file.group.empty()) sha.Update(absl::StrCat(nul, file.group));
    sha.Update("\n");
  }
  return sha.HexDigest();
}

class ImportImpl : public Import {
 public:
  ImportImpl(const ImportOptions& options, const ImportLimits& limits, store::BlobStore* blobs,
             store::Database* database)
      : options_(options), limits_(limits), blobs_(blobs), database_(database), announcement_(limits) {}

  absl::Status Announce(std::vector<AnnouncedFile> files) override {
    if (finished_announcing_) return absl::FailedPreconditionError("announce: the list of files is complete");
    return announcement_.Add(std::move(files));
  }

  absl::StatusOr<std::vector<std::string>> FinishAnnouncing() override {
    RETURN_IF_ERROR(announcement_.Finish());
    finished_announcing_ = true;
    digests_ = announcement_.Digests();
    progress_.images_total = static_cast<int>(digests_.size());
    ASSIGN_OR_RETURN(std::vector<std::string> missing, blobs_->Missing(digests_));
    missing_.insert(missing.begin(), missing.end());
    return missing;
  }

  absl::Status AddBlob(absl::string_view sha256, std::string bytes) override {
    const auto missing = missing_.find(sha256);
    if (missing == missing_.end()) {
      return InvalidField("chunk.sha256", absl::StrCat("'", sha256.substr(0, 64), "' is not one of the missing blobs"));
    }
    if (static_cast<int64_t>(bytes.size()) != announcement_.SizeOf(sha256) || Sha256Hex(bytes) != sha256) {
      return absl::AbortedError(absl::StrCat("blob ", sha256, ": the ", bytes.size(),
                                             " bytes received do not have this digest; send it again"));
    }
    missing_.erase(missing);
    group_bytes_ += static_cast<int64_t>(bytes.size());
    group_.push_back({.sha256 = std::string(sha256), .bytes = std::move(bytes)});
    return group_bytes_ >= kGroupBytes || group_.size() >= kGroupBlobs ? Flush() : absl::OkStatus();
  }

  absl::Status Flush() override {
    if (group_.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(blobs_->Put(group_));
    progress_.blobs_stored += static_cast<int>(group_.size());
    progress_.bytes_stored += group_bytes_;
    group_.clear();
    group_bytes_ = 0;
    return absl::OkStatus();
  }

  absl::StatusOr<ImportResult> Commit(const std::function<void(const ImportProgress&)>& on_progress) override {
    RETURN_IF_ERROR(CheckComplete());
    RETURN_IF_ERROR(Flush());
    ASSIGN_OR_RETURN(const ImageFacts facts, CheckAll(on_progress));
    NewVersion content = Sort(facts);
    RETURN_IF_ERROR(CheckQuarantine(content));
    RETURN_IF_ERROR(LabelExamples(content));
    Audit(facts, content);
    return Write(content);
  }

  ImportProgress progress() const override { return progress_; }

 private:
  absl::Status CheckComplete() const {
    if (!finished_announcing_) return PreconditionFailed(options_.dataset, "the list of files is not complete");
    if (missing_.empty()) return absl::OkStatus();
    return PreconditionFailed(options_.dataset, absl::StrCat(missing_.size(), " announced images were not sent, ",
                                                             *missing_.begin(), " among them; push again to go on"));
  }

  absl::StatusOr<ImageFacts> CheckAll(const std::function<void(const ImportProgress&)>& on_progress) {
    image::DecodeLimits decode;
    decode.max_bytes = limits_.max_file_bytes;
    return CheckImages(digests_, decode, AvailableCores(), *blobs_, *database_, [&](int checked, int total) {
      progress_.images_checked = checked;
      if (on_progress) on_progress(progress_);
    });
  }

  // Into examples (their labels not numbered yet) and quarantined files.
  NewVersion Sort(const ImageFacts& facts) const {
    NewVersion content{.version = {.dataset = options_.dataset, .digest = DigestOf(announcement_.files())}};
    for (const AnnouncedFile& file : announcement_.files()) {
      const ImageFact& fact = facts.at(file.sha256);
      if (!fact.error.empty()) {
        content.quarantined.push_back({.path = file.path, .label = file.label, .reason = fact.error});
        continue;
      }
      content.version.size_bytes += file.size_bytes;
      content.examples.push_back({.path = file.path,
                                  .sha256 = file.sha256,
                                  .given_split = file.split,
                                  .width = fact.width,
                                  .height = fact.height,
                                  .group = file.group});
    }
    content.version.image_count = static_cast<int>(content.examples.size());
    content.version.quarantined_count = static_cast<int>(content.quarantined.size());
    return content;
  }

  absl::Status CheckQuarantine(const NewVersion& content) const {
    const size_t bad = content.quarantined.size();
    const size_t all = announcement_.files().size();
    if (static_cast<double>(bad) <= options_.max_undecodable_fraction * static_cast<double>(all)) {
      return absl::OkStatus();
    }
    std::string message = absl::StrFormat(
        "%d of %d files (%.1f %%) cannot be decoded, the limit is %.1f %%; repair or remove them, or raise "
        "the limit:",
        bad, all, 100.0 * static_cast<double>(bad) / static_cast<double>(all), 100 * options_.max_undecodable_fraction);
    for (size_t i = 0; i < bad && i < kFilesInError; ++i) {
      absl::StrAppend(&message, i == 0 ? " " : "; ", content.quarantined[i].path, ": ", content.quarantined[i].reason);
    }
    if (bad > kFilesInError) absl::StrAppend(&message, "; ...");
    return InvalidField("start.max_undecodable_fraction", message);
  }

  // Numbers the classes by their sorted labels. A class that lost its images to quarantine is an error, not a gap.
  absl::Status LabelExamples(NewVersion& content) const {
    absl::flat_hash_map<absl::string_view, absl::string_view> label_of;  // by path
    std::map<std::string, int> images_per_label;
    for (const AnnouncedFile& file : announcement_.files()) {
      label_of[file.path] = file.label;
      images_per_label.emplace(file.label, 0);
    }
    for (const Example& example : content.examples) ++images_per_label[std::string(label_of[example.path])];
    RETURN_IF_ERROR(CheckClasses(images_per_label, limits_, "decodable"));

    absl::flat_hash_map<absl::string_view, int> index_of;
    for (const auto& [label, images] : images_per_label) {
      index_of[label] = static_cast<int>(content.version.labels.size());
      content.version.labels.push_back(label);
      content.version.images_per_label.push_back(images);
    }
    for (Example& example : content.examples) example.label = index_of[label_of[example.path]];
    return absl::OkStatus();
  }

  static void Audit(const ImageFacts& facts, NewVersion& content) {
    const AuditResult result =
        AuditExamples({.examples = content.examples, .labels = content.version.labels, .facts = facts});
    content.audit = AuditToJson(result.audit);
    for (size_t i = 0; i < content.examples.size(); ++i) content.examples[i].cluster = result.clusters[i];
  }

  absl::StatusOr<ImportResult> Write(const NewVersion& content) {
    ImportResult result{.blobs_received = progress_.blobs_stored};
    RETURN_IF_ERROR(database_->Write("store data set version", [&](store::Transaction& transaction) -> absl::Status {
      std::optional<Version> latest = LatestVersion(transaction, options_.dataset);
      result.already_existed = latest && latest->digest == content.version.digest;
      if (result.already_existed) {
        AddMissingAudit(transaction, *latest, content);
      } else {
        InsertVersion(transaction, content);
        latest = LatestVersion(transaction, options_.dataset);
      }
      result.version = *std::move(latest);
      return absl::OkStatus();
    }));
    return result;
  }

  const ImportOptions options_;
  const ImportLimits limits_;
  store::BlobStore* const blobs_;
  store::Database* const database_;
  Announcement announcement_;
  bool finished_announcing_ = false;
  std::vector<std::string> digests_;
  absl::flat_hash_set<std::string> missing_;
  std::vector<store::Blob> group_;  // received, not durable yet
  int64_t group_bytes_ = 0;
  ImportProgress progress_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Import>> Import::Start(const ImportOptions& options, const ImportLimits& limits,
                                                      DatasetStore* datasets, store::Database* database) {
  RETURN_IF_ERROR(ValidateName("start.dataset", options.dataset));
  if (!(options.max_undecodable_fraction >= 0 && options.max_undecodable_fraction <= 1)) {
    return InvalidField("start.max_undecodable_fraction",
                        absl::StrCat(options.max_undecodable_fraction, " is not between 0 and 1"));
  }
  return std::make_unique<ImportImpl>(options, limits, &datasets->blobs(), database);
}

}  // namespace graft::dataset
