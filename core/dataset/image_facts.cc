#include "core/dataset/image_facts.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"
#include "core/store/transaction.h"

namespace graft::dataset {
namespace {

using soci::into;
using soci::use;

constexpr absl::Duration kProgressPeriod = absl::Milliseconds(250);

// A row of image_facts, as SOCI knows it.
struct FactRow {
  std::string sha256;
  ImageFact fact;
  long long hash = 0;
  std::string thumbnail;  // base64

  void Set(const std::string& digest, const ImageFact& from) {
    sha256 = digest;
    fact = from;
    hash = static_cast<long long>(from.fingerprint.hash);
    thumbnail.clear();
    if (!from.error.empty()) return;
    const auto& bytes = from.fingerprint.thumbnail;
    thumbnail = absl::Base64Escape({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  absl::StatusOr<ImageFact> Get() const {
    ImageFact result = fact;
    if (!result.error.empty()) return result;
    result.fingerprint.hash = static_cast<uint64_t>(hash);
    std::string bytes;
    if (!absl::Base64Unescape(thumbnail, &bytes) || bytes.size() != result.fingerprint.thumbnail.size()) {
      return absl::DataLossError(absl::StrCat("stored facts of image ", sha256, " have no whole thumbnail"));
    }
    std::copy(bytes.begin(), bytes.end(), result.fingerprint.thumbnail.begin());
    return result;
  }
};

absl::StatusOr<ImageFacts> ReadFacts(const std::vector<std::string>& digests, store::Database& database) {
  ImageFacts facts;
  RETURN_IF_ERROR(database.Read("read image facts", [&](store::Transaction& transaction) -> absl::Status {
    FactRow row;
    image::Fingerprint& fingerprint = row.fact.fingerprint;
    soci::statement select =
        (transaction.sql().prepare << "SELECT width, height, format, error, pixel_sha256, perceptual_hash, thumbnail, "
                                      "brightness, sharpness FROM image_facts "
                                      "WHERE sha256 = :sha256 AND (error <> '' OR pixel_sha256 <> '')",
         use(row.sha256), into(row.fact.width), into(row.fact.height), into(row.fact.format), into(row.fact.error),
         into(fingerprint.pixel_sha256), into(row.hash), into(row.thumbnail), into(fingerprint.brightness),
         into(fingerprint.sharpness));
    for (const std::string& digest : digests) {
      row.sha256 = digest;
      if (!select.execute(/*withDataExchange=*/true)) continue;
      ASSIGN_OR_RETURN(ImageFact fact, row.Get());
      facts.emplace(digest, std::move(fact));
    }
    return absl::OkStatus();
  }));
  return facts;
}

absl::Status WriteFacts(const ImageFacts& facts, store::Database& database) {
  return database.Write("store image facts", [&](store::Transaction& transaction) {
    FactRow row;
    image::Fingerprint& fingerprint = row.fact.fingerprint;
    soci::statement insert =
        (transaction.sql().prepare
             << "INSERT OR REPLACE INTO image_facts (sha256, width, height, format, error, pixel_sha256, "
                "perceptual_hash, thumbnail, brightness, sharpness) VALUES (:sha256, :width, :height, :format, :error, "
                ":pixels, :hash, :thumbnail, :brightness, :sharpness)",
         use(row.sha256), use(row.fact.width), use(row.fact.height), use(row.fact.format), use(row.fact.error),
         use(fingerprint.pixel_sha256), use(row.hash), use(row.thumbnail), use(fingerprint.brightness),
         use(fingerprint.sharpness));
    for (const auto& [digest, fact] : facts) {
      row.Set(digest, fact);
      insert.execute(/*withDataExchange=*/true);
    }
    return absl::OkStatus();
  });
}

// InvalidArgument is the image's own fault and stays true; anything else is this machine's state and is no fact.
absl::StatusOr<ImageFact> CheckImage(const std::string& sha256, const image::DecodeLimits& limits,
                                     store::BlobStore& blobs) {
  ASSIGN_OR_RETURN(const std::string bytes, blobs.Get(sha256));
  const absl::StatusOr<image::Header> header = image::ReadHeader(bytes, limits);
  if (absl::IsInvalidArgument(header.status())) return ImageFact{.error = std::string(header.status().message())};
  RETURN_IF_ERROR(header.status());
  const std::string format(image::FormatName(header->format));
  const absl::StatusOr<image::Image> image = image::DecodeImage(bytes, limits);
  if (absl::IsInvalidArgument(image.status())) {
    return ImageFact{.format = format, .error = std::string(image.status().message())};
  }
  RETURN_IF_ERROR(image.status());
  ASSIGN_OR_RETURN(image::Fingerprint fingerprint, image::FingerprintOf(*image));
  return ImageFact{
      .width = image->width, .height = image->height, .format = format, .fingerprint = std::move(fingerprint)};
}

// Decodes a list of images on several threads. Thread-safe.
class Checker {
 public:
  Checker(const std::vector<std::string>& digests, const image::DecodeLimits& limits, store::BlobStore& blobs)
      : digests_(digests), limits_(limits), blobs_(blobs) {}

  // Until the list is done or one image failed.
  absl::Status Run(int threads, const std::function<void(int checked)>& on_progress) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      running_threads_ = threads;
    }
    std::vector<std::thread> workers;
    workers.reserve(static_cast<size_t>(threads));
    for (int i = 0; i < threads; ++i) workers.push_back(NamedThread("import-decode", [this] { Work(); }));
    for (bool done = false; !done;) {
      int checked = 0;
      {
        absl::MutexLock lock(&mutex_);
        done = mutex_.AwaitWithTimeout(absl::Condition(this, &Checker::Done), kProgressPeriod);
        checked = static_cast<int>(facts_.size());
      }
      on_progress(checked);
    }
    for (std::thread& worker : workers) worker.join();
    absl::MutexLock lock(&mutex_);
    return status_;
  }

  // After Run.
  ImageFacts TakeFacts() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return std::move(facts_);
  }

 private:
  bool Done() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return running_threads_ == 0; }

  void Work() ABSL_LOCKS_EXCLUDED(mutex_) {
    for (size_t i = next_++; i < digests_.size() && !failed_; i = next_++) {
      absl::StatusOr<ImageFact> fact = CheckImage(digests_[i], limits_, blobs_);
      absl::MutexLock lock(&mutex_);
      if (fact.ok()) {
        facts_.emplace(digests_[i], *std::move(fact));
      } else {
        failed_ = true;
        status_.Update(WithContext(fact.status(), absl::StrCat("check image ", digests_[i])));
      }
    }
    absl::MutexLock lock(&mutex_);
    --running_threads_;
  }

  const std::vector<std::string>& digests_;
  const image::DecodeLimits limits_;
  store::BlobStore& blobs_;
  std::atomic<size_t> next_{0};
  std::atomic<bool> failed_{false};
  absl::Mutex mutex_;
  int running_threads_ ABSL_GUARDED_BY(mutex_) = 0;
  ImageFacts facts_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<ImageFacts> CheckImages(const std::vector<std::string>& digests, const image::DecodeLimits& limits,
                                       int threads, store::BlobStore& blobs, store::Database& database,
                                       const CheckProgress& on_progress) {
  const int total = static_cast<int>(digests.size());
  const auto report = [&](int checked) {
    if (on_progress) on_progress(checked, total);
  };
  ASSIGN_OR_RETURN(ImageFacts facts, ReadFacts(digests, database));
  const int known = static_cast<int>(facts.size());
  report(known);
  std::vector<std::string> unknown;
  std::copy_if(digests.begin(), digests.end(), std::back_inserter(unknown),
               [&](const std::string& digest) { return !facts.contains(digest); });
  if (unknown.empty()) return facts;

  Checker checker(unknown, limits, blobs);
  const absl::Status status = checker.Run(std::min<int>(threads, static_cast<int>(unknown.size())),
                                          [&](int checked) { report(known + checked); });
  const ImageFacts found = checker.TakeFacts();
  RETURN_IF_ERROR(WriteFacts(found, database));
  RETURN_IF_ERROR(status);
  facts.insert(found.begin(), found.end());
  return facts;
}

}  // namespace graft::dataset
