#include "core/dataset/loader.h"

#include <algorithm>
#include <deque>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"

namespace graft::dataset {
namespace {

using image::Image;
using KeptImage = std::shared_ptr<const Image>;

// The pictures that came first, up to a number of bytes. Nothing is pushed out: every epoch asks for every photo once,
// in another order, and then each picture kept is one decode saved, while the least recently used would be pushed out
// just before it is wanted. Thread-safe.
class PictureCache {
 public:
  PictureCache(size_t photos, int64_t max_bytes) : max_bytes_(max_bytes), pictures_(photos) {}

  KeptImage Get(int64_t photo) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return pictures_[static_cast<size_t>(photo)];
  }

  bool full() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return full_;
  }

  // Keeps it if it fits.
  void Offer(int64_t photo, const KeptImage& picture) ABSL_LOCKS_EXCLUDED(mutex_) {
    const auto bytes = static_cast<int64_t>(picture->pixels.size());
    absl::MutexLock lock(&mutex_);
    KeptImage& place = pictures_[static_cast<size_t>(photo)];
    if (place != nullptr) return;
    full_ = full_ || bytes_ + bytes > max_bytes_;
    if (full_) return;
    place = picture;
    bytes_ += bytes;
  }

  int64_t bytes() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return bytes_;
  }

 private:
  const int64_t max_bytes_;
  absl::Mutex mutex_;
  std::vector<KeptImage> pictures_ ABSL_GUARDED_BY(mutex_);  // by photo; null where it is not kept
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool full_ ABSL_GUARDED_BY(mutex_) = false;
};

// A batch under way. Threads write into `images`, each its own rows.
struct Pending {
  LoadedBatch batch;
  int64_t first = 0;  // position in the order
  int taken = 0;      // rows that a thread has or had in hand
  int loaded = 0;
  // Of the first row that failed.
  int failed_row = 0;
  absl::Status status;
  bool ready() const { return loaded == batch.count; }
};
// Shared, because a thread may still write into a batch of an epoch that was given up.
using SharedPending = std::shared_ptr<Pending>;

absl::Status CheckOptions(const LoaderOptions& options) {
  RETURN_IF_ERROR(image::Validate(options.augment));
  const bool sizes = options.target.height >= 1 && options.target.width >= 1;
  const bool counts = options.threads >= 1 && options.prefetch_batches >= 1;
  if (sizes && counts && options.cache_bytes >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("loader options out of range: ", options.target.height, "x",
                                                 options.target.width, " pixels, ", options.threads, " threads, ",
                                                 options.prefetch_batches, " batches, ", options.cache_bytes,
                                                 " bytes of cache; use at least 1, 1, 1, 1 and 0"));
}

}  // namespace

class Loader::Impl {
 public:
  Impl(std::vector<Example> photos, const LoaderOptions& options, store::BlobStore* blobs)
      : photos_(std::move(photos)), options_(options), blobs_(*blobs), cache_(photos_.size(), options.cache_bytes) {
    for (int i = 0; i < options_.threads; ++i) threads_.push_back(NamedThread("loader", [this] { Work(); }));
  }

  ~Impl() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    for (std::thread& thread : threads_) thread.join();
  }

  int images() const { return static_cast<int>(photos_.size()); }

  absl::Status StartEpoch(int epoch, std::vector<int64_t> order, int batch_size, int64_t first)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    RETURN_IF_ERROR(CheckEpoch(order, batch_size, first));
    absl::MutexLock lock(&mutex_);
    epoch_ = epoch;
    order_ = std::move(order);
    batch_size_ = batch_size;
    next_ = first;
    pending_.clear();
    status_ = absl::OkStatus();
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<LoadedBatch>> Next() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    RETURN_IF_ERROR(status_);
    if (pending_.empty() && !OpenBatch()) return std::nullopt;
    const absl::Time start = absl::Now();
    mutex_.Await(absl::Condition(this, &Impl::FrontReady));
    waited_ += absl::Now() - start;
    const SharedPending front = std::move(pending_.front());
    pending_.pop_front();
    status_ = front->status;
    RETURN_IF_ERROR(status_);
    return std::move(front->batch);
  }

  LoaderStats stats() ABSL_LOCKS_EXCLUDED(mutex_) {
    const int64_t cached_bytes = cache_.bytes();
    absl::MutexLock lock(&mutex_);
    const double busy_seconds = absl::ToDoubleSeconds(busy_);
    return {.images = images_loaded_,
            .images_decoded = images_decoded_,
            .busy_seconds = busy_seconds,
            .seconds_waited = absl::ToDoubleSeconds(waited_),
            .images_per_second =
                busy_seconds > 0 ? static_cast<double>(images_loaded_) * options_.threads / busy_seconds : 0,
            .cached_bytes = cached_bytes};
  }

 private:
  // One photo to load, and its place.
  struct Task {
    SharedPending batch;
    int row = 0;
    int64_t photo = 0;
    int epoch = 0;
  };
  struct Loaded {
    absl::Status status;
    bool decoded = true;
    absl::Duration time;
  };

  absl::Status CheckEpoch(const std::vector<int64_t>& order, int batch_size, int64_t first) const {
    if (batch_size < 1) return absl::InvalidArgumentError(absl::StrCat("batch size ", batch_size, " is below 1"));
    if (first < 0 || first > static_cast<int64_t>(order.size())) {
      return absl::InvalidArgumentError(absl::StrCat("no position ", first, " in an order of ", order.size()));
    }
    const auto is_outside = [this](int64_t photo) { return photo < 0 || photo >= images(); };
    const auto outside = std::find_if(order.begin(), order.end(), is_outside);
    if (outside == order.end()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("no photo ", *outside, " among ", images()));
  }

  int64_t input_bytes() const { return int64_t{options_.target.height} * options_.target.width * 3; }

  bool FrontReady() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return pending_.front()->ready(); }

  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto batches = static_cast<int64_t>(pending_.size()) + 1;
    return pending_.empty() ||
           (batches <= options_.prefetch_batches && batches * batch_size_ * input_bytes() <= options_.prefetch_bytes);
  }
  bool HasUntakenRows() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !pending_.empty() && pending_.back()->taken < pending_.back()->batch.count;
  }
  bool CanOpenBatch() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return next_ < static_cast<int64_t>(order_.size()) && HasRoom();
  }
  bool HasWorkOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || (status_.ok() && (HasUntakenRows() || CanOpenBatch()));
  }

  // False at the end of the order.
  bool OpenBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const int64_t left = static_cast<int64_t>(order_.size()) - next_;
    if (left == 0) return false;
    auto pending = std::make_shared<Pending>();
    pending->first = next_;
    pending->batch.count = static_cast<int>(std::min<int64_t>(left, batch_size_));
    pending->batch.images.resize(static_cast<size_t>(pending->batch.count * input_bytes()));
    for (int i = 0; i < pending->batch.count; ++i) {
      const int64_t photo = order_[static_cast<size_t>(next_ + i)];
      pending->batch.labels.push_back(photos_[static_cast<size_t>(photo)].label);
    }
    next_ += pending->batch.count;
    pending_.push_back(std::move(pending));
    return true;
  }

  // Waits for one; nothing when the loader stops.
  std::optional<Task> TakeTask() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &Impl::HasWorkOrStops));
    if (stopping_) return std::nullopt;
    if (!HasUntakenRows()) OpenBatch();
    const SharedPending& batch = pending_.back();
    const int row = batch->taken++;
    return Task{.batch = batch, .row = row, .photo = order_[static_cast<size_t>(batch->first + row)], .epoch = epoch_};
  }

  void Work() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (const std::optional<Task> task = TakeTask()) Record(*task, Load(*task));
  }

  void Record(const Task& task, const Loaded& loaded) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    Pending& batch = *task.batch;
    ++batch.loaded;
    busy_ += loaded.time;
    ++images_loaded_;
    if (loaded.decoded) ++images_decoded_;
    if (loaded.status.ok() || (!batch.status.ok() && batch.failed_row < task.row)) return;
    batch.failed_row = task.row;
    batch.status = loaded.status;
  }

  Loaded Load(const Task& task) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::Time start = absl::Now();
    const Example& photo = photos_[static_cast<size_t>(task.photo)];
    Loaded loaded;
    const absl::Status status =
        LoadInto(task, photo, image::AugmentSeed(options_.seed, photo.sha256, task.epoch), loaded.decoded);
    if (!status.ok()) loaded.status = WithContext(status, absl::StrCat("photo ", photo.path));
    loaded.time = absl::Now() - start;
    return loaded;
  }

  absl::Status LoadInto(const Task& task, const Example& photo, uint64_t seed, bool& decoded) {
    const auto row_bytes = static_cast<size_t>(input_bytes());
    const absl::Span<uint8_t> input =
        absl::MakeSpan(task.batch->batch.images).subspan(static_cast<size_t>(task.row) * row_bytes, row_bytes);
    KeptImage picture = cache_.Get(task.photo);
    decoded = picture == nullptr;
    if (decoded) {
      ASSIGN_OR_RETURN(const std::string encoded, blobs_.Get(photo.sha256));
      if (cache_.full()) {
        return image::DecodeAugmented(encoded, options_.limits, options_.target, options_.augment, seed, input);
      }
      ASSIGN_OR_RETURN(Image fresh,
                       image::DecodeForAugment(encoded, options_.limits, options_.target, options_.augment));
      picture = std::make_shared<const Image>(std::move(fresh));
      cache_.Offer(task.photo, picture);
    }
    return image::MakeInput(*picture, options_.augment, seed, options_.target.height, options_.target.width, input);
  }

  // Constant after construction.
  const std::vector<Example> photos_;
  const LoaderOptions options_;
  store::BlobStore& blobs_;
  std::vector<std::thread> threads_;

  PictureCache cache_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<int64_t> order_ ABSL_GUARDED_BY(mutex_);
  int batch_size_ ABSL_GUARDED_BY(mutex_) = 1;
  int64_t next_ ABSL_GUARDED_BY(mutex_) = 0;  // position in the order of the next batch to open
  // Oldest first; only the last may have rows that no thread has taken.
  std::deque<SharedPending> pending_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);  // what Next answered with
  absl::Duration busy_ ABSL_GUARDED_BY(mutex_), waited_ ABSL_GUARDED_BY(mutex_);
  int64_t images_loaded_ ABSL_GUARDED_BY(mutex_) = 0, images_decoded_ ABSL_GUARDED_BY(mutex_) = 0;
};

absl::StatusOr<std::unique_ptr<Loader>> Loader::Create(std::vector<Example> photos, const LoaderOptions& options,
                                                       store::BlobStore* blobs) {
  RETURN_IF_ERROR(CheckOptions(options));
  return std::unique_ptr<Loader>(new Loader(std::make_unique<Impl>(std::move(photos), options, blobs)));
}

Loader::Loader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Loader::~Loader() = default;

int Loader::images() const {
  return impl_->images();
}

absl::Status Loader::StartEpoch(int epoch, std::vector<int64_t> order, int batch_size, int64_t first) {
  return impl_->StartEpoch(epoch, std::move(order), batch_size, first);
}

absl::StatusOr<std::optional<LoadedBatch>> Loader::Next() {
  return impl_->Next();
}

LoaderStats Loader::stats() const {
  return impl_->stats();
}

}  // namespace graft::dataset
