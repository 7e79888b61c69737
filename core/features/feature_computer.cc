#include "core/features/feature_computer.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/errors.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"

namespace graft::features {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(50);

// The import has checked these photos already; its limits on bytes may be set higher than Classify's.
image::DecodeLimits StoredPhotoLimits() {
  return {.max_bytes = 64 << 20};
}

int Lanes(const ComputeWidth& width) {
  return std::max(1, width.lanes / width.memory_divisor);
}

// Images first .. first + count - 1 of the request.
struct Group {
  int first = 0, count = 0;
  std::vector<float> values;  // [count, dimension]
  absl::Duration decode_time, forward_time;
};

// Lanes take groups and leave results; the calling thread collects them. Thread-safe.
class Computation {
 public:
  Computation(absl::Span<const std::string> digests, const PhotoView& view, const network::PreprocessSpec& preprocess,
              engine::Engine& engine, store::BlobStore& blobs, const ComputeWidth& width)
      : digests_(digests),
        view_(view),
        preprocess_(preprocess),
        engine_(engine),
        blobs_(blobs),
        group_size_(GroupSize(width)) {
    const int lanes = Lanes(width);
    for (int i = 0; i < lanes; ++i) threads_.push_back(NamedThread("features", [this] { RunLane(); }));
  }
  ~Computation() {
    Stop();
    for (std::thread& thread : threads_) thread.join();
  }

  // What has been finished since the last call; waits at most a tick for it.
  absl::StatusOr<std::vector<Group>> TakeFinished() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(this, &Computation::HasNews), kTick);
    RETURN_IF_ERROR(status_);
    return std::exchange(finished_, {});
  }

 private:
  // Full groups where there are many images, smaller ones where lanes would be idle otherwise.
  int GroupSize(const ComputeWidth& width) const {
    const int lanes = Lanes(width);
    const int fair_share = (static_cast<int>(digests_.size()) + lanes - 1) / lanes;
    return std::clamp(fair_share, 1, std::max(1, engine_.preferred_batch() / width.memory_divisor));
  }

  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !finished_.empty() || !status_.ok(); }

  void Stop() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  bool stopping() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return stopping_;
  }

  // A group of no images when there is nothing left to do.
  Group TakeGroup() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return {};
    Group group{.first = next_, .count = std::min(group_size_, static_cast<int>(digests_.size()) - next_)};
    next_ += group.count;
    return group;
  }

  void RunLane() ABSL_LOCKS_EXCLUDED(mutex_) {
    for (Group group = TakeGroup(); group.count > 0; group = TakeGroup()) {
      // Memory may also run out in our own vectors.
      absl::Status status =
          StatusFromThrow(absl::StatusCode::kInternal, "compute features", [&] { return Compute(group); });
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      if (!status.ok()) {
        stopping_ = true;
        status_ = std::move(status);
        return;
      }
      finished_.push_back(std::move(group));
    }
  }

  absl::Status Compute(Group& group) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::Time start = absl::Now();
    std::vector<uint8_t> images;
    for (int i = group.first; i < group.first + group.count; ++i) {
      if (stopping()) return absl::CancelledError("stopped");
      ASSIGN_OR_RETURN(const std::vector<uint8_t> image, Load(digests_[i]));
      images.insert(images.end(), image.begin(), image.end());
    }
    group.values.resize(static_cast<size_t>(group.count) * engine_.facts().feature_dimension);
    const absl::Time decoded = absl::Now();
    RETURN_IF_ERROR(engine_.Run(images, group.count, absl::MakeSpan(group.values), engine::Cores::kOne));
    group.decode_time = decoded - start;
    group.forward_time = absl::Now() - decoded;
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<uint8_t>> Load(const std::string& digest) {
    ASSIGN_OR_RETURN(const std::string encoded, blobs_.Get(digest));
    absl::StatusOr<std::vector<uint8_t>> image =
        view_.plain()
            ? network::ToInput(encoded, preprocess_, StoredPhotoLimits())
            : network::ToInput(encoded, preprocess_, StoredPhotoLimits(), view_.augment, view_.SeedOf(digest));
    if (!image.ok()) return WithContext(image.status(), absl::StrCat("photo ", digest));
    return image;
  }

  // Constant after construction.
  const absl::Span<const std::string> digests_;
  const PhotoView view_;
  const network::PreprocessSpec preprocess_;
  engine::Engine& engine_;
  store::BlobStore& blobs_;
  const int group_size_;
  std::vector<std::thread> threads_;

  absl::Mutex mutex_;
  int next_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::vector<Group> finished_ ABSL_GUARDED_BY(mutex_);
};

absl::Status Report(const Group& group, int dimension, const ComputeObserver& observer) {
  for (int i = 0; i < group.count; ++i) {
    const auto values = absl::MakeConstSpan(group.values).subspan(static_cast<size_t>(i) * dimension, dimension);
    RETURN_IF_ERROR(observer.computed(group.first + i, values));
  }
  return absl::OkStatus();
}

}  // namespace

ComputeCost& ComputeCost::operator+=(const ComputeCost& other) {
  images += other.images;
  lanes = std::max(lanes, other.lanes);
  decode_seconds += other.decode_seconds;
  forward_seconds += other.forward_seconds;
  return *this;
}

double ComputeCost::decoded_per_second() const {
  return decode_seconds > 0 ? static_cast<double>(images) * lanes / decode_seconds : 0;
}

double ComputeCost::forwarded_per_second() const {
  return forward_seconds > 0 ? static_cast<double>(images) * lanes / forward_seconds : 0;
}

absl::Status ComputeFeatures(absl::Span<const std::string> digests, const PhotoView& view,
                             const network::PreprocessSpec& preprocess, engine::Engine& engine, store::BlobStore& blobs,
                             const ComputeWidth& width, const ComputeObserver& observer, ComputeCost& cost) {
  Computation computation(digests, view, preprocess, engine, blobs, width);
  for (size_t done = 0; done < digests.size();) {
    ASSIGN_OR_RETURN(const std::vector<Group> groups, computation.TakeFinished());
    for (const Group& group : groups) {
      RETURN_IF_ERROR(Report(group, engine.facts().feature_dimension, observer));
      done += group.count;
      cost += {.images = group.count,
               .lanes = Lanes(width),
               .decode_seconds = absl::ToDoubleSeconds(group.decode_time),
               .forward_seconds = absl::ToDoubleSeconds(group.forward_time)};
    }
    RETURN_IF_ERROR(observer.tick());
  }
  return absl::OkStatus();
}

}  // namespace graft::features
