#include "core/features/feature_cache.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "core/features/feature_computer.h"
#include "core/features/feature_space.h"

namespace graft::features {
namespace {

constexpr int kFlushImages = 256;
constexpr absl::Duration kFlushInterval = absl::Seconds(1);
constexpr absl::Duration kReportInterval = absl::Milliseconds(250);

// One distinct image of the request.
struct Wanted {
  Digest digest;
  std::vector<int> rows;
};

absl::StatusOr<std::vector<Wanted>> DistinctImages(absl::Span<const std::string> digests) {
  std::vector<Wanted> images;
  absl::flat_hash_map<Digest, size_t> position;
  for (size_t row = 0; row < digests.size(); ++row) {
    ASSIGN_OR_RETURN(const Digest digest, DigestFromHex(digests[row]));
    const auto [found, is_new] = position.try_emplace(digest, images.size());
    if (is_new) images.push_back({.digest = digest});
    images[found->second].rows.push_back(static_cast<int>(row));
  }
  return images;
}

absl::Span<float> RowOf(FeatureMatrix& matrix, int row) {
  return absl::MakeSpan(matrix.values).subspan(static_cast<size_t>(row) * matrix.dimension, matrix.dimension);
}

void FillRows(FeatureMatrix& matrix, const Wanted& image, absl::Span<const float> values) {
  for (const int row : image.rows) std::copy(values.begin(), values.end(), RowOf(matrix, row).begin());
}

// Fills the rows of cached images and returns the others.
std::vector<Wanted> TakeCached(FeatureSpace& space, std::vector<Wanted> images, FeatureMatrix& matrix) {
  std::vector<Wanted> missing;
  std::vector<float> values(matrix.dimension);
  for (Wanted& image : images) {
    if (space.Read(image.digest, absl::MakeSpan(values))) {
      FillRows(matrix, image, values);
      matrix.images_from_cache += static_cast<int>(image.rows.size());
    } else {
      missing.push_back(std::move(image));
    }
  }
  return missing;
}

// Collects computed features: into the matrix, into the space in durable groups, and counts them for progress.
class Collector {
 public:
  Collector(const std::vector<Wanted>& missing, FeatureSpace& space, FeatureMatrix& matrix,
            const std::function<void(const FeatureProgress&)>& on_progress, const std::function<bool()>& stop)
      : missing_(missing),
        space_(space),
        matrix_(matrix),
        rows_total_(static_cast<int>(matrix.values.size() / matrix.dimension)),
        on_progress_(on_progress),
        stop_(stop) {}

  absl::Status Take(int index, absl::Span<const float> values) {
    const Wanted& image = missing_[index];
    FillRows(matrix_, image, values);
    matrix_.images_computed += static_cast<int>(image.rows.size());
    return space_.Add(image.digest, values);
  }

  absl::Status Tick() {
    if (stop_()) return absl::CancelledError("stopped while computing features");
    const absl::Time now = absl::Now();
    if (now - reported_ >= kReportInterval) {
      reported_ = now;
      on_progress_(ProgressAt(now));
    }
    if (space_.pending() < kFlushImages && now - flushed_ < kFlushInterval) return absl::OkStatus();
    flushed_ = now;
    return space_.Flush();
  }

 private:
  FeatureProgress ProgressAt(absl::Time now) const {
    FeatureProgress progress{.images_done = matrix_.images_from_cache + matrix_.images_computed,
                             .images_total = rows_total_};
    const double seconds = absl::ToDoubleSeconds(now - start_);
    if (seconds > 0) progress.images_per_second = matrix_.images_computed / seconds;
    if (progress.images_per_second > 0) {
      progress.seconds_left = (progress.images_total - progress.images_done) / progress.images_per_second;
    }
    return progress;
  }

  const std::vector<Wanted>& missing_;
  FeatureSpace& space_;
  FeatureMatrix& matrix_;
  const int rows_total_;
  const std::function<void(const FeatureProgress&)>& on_progress_;
  const std::function<bool()>& stop_;
  const absl::Time start_ = absl::Now();
  absl::Time reported_ = start_;
  absl::Time flushed_ = start_;
};

std::vector<std::string> DigestsOf(absl::Span<const Wanted> images, absl::Span<const std::string> digests) {
  std::vector<std::string> result;
  for (const Wanted& image : images) result.push_back(digests[image.rows.front()]);
  return result;
}

absl::Status ComputeMissing(const FeatureRequest& request, const std::vector<Wanted>& missing, FeatureSpace& space,
                            Collector& collector, FeatureMatrix& matrix) {
  ASSIGN_OR_RETURN(engine::Engine * engine, request.engine());
  const absl::Status computed = ComputeFeatures(
      DigestsOf(missing, request.digests), request.view, request.preprocess, *engine, *request.blobs,
      {.lanes = request.lanes, .memory_divisor = request.memory_divisor},
      {.computed = [&](int index, absl::Span<const float> values) { return collector.Take(index, values); },
       .tick = [&] { return collector.Tick(); }},
      matrix.cost);
  // Also after an error or a stop: what was computed need not be computed again.
  const absl::Status flushed = space.Flush();
  return computed.ok() ? flushed : computed;
}

}  // namespace

FeatureCache::FeatureCache(std::string root, int64_t max_bytes) : root_(std::move(root)), max_bytes_(max_bytes) {}

FeatureCache::~FeatureCache() = default;

absl::StatusOr<FeatureSpace*> FeatureCache::OpenSpace(const FeatureRequest& request) {
  auto space = std::make_unique<FeatureSpace>(
      root_, SpaceKey{request.preprocess, request.weights_sha256, request.engine_id, request.dimension, request.view});
  if (space_ == nullptr || space_->folder() != space->folder()) space_ = std::move(space);
  RETURN_IF_ERROR(space_->Refresh());
  return space_.get();
}

absl::StatusOr<FeatureMatrix> FeatureCache::GetOrCompute(const FeatureRequest& request,
                                                         const std::function<void(const FeatureProgress&)>& on_progress,
                                                         const std::function<bool()>& stop) {
  ASSIGN_OR_RETURN(std::vector<Wanted> images, DistinctImages(request.digests));
  ASSIGN_OR_RETURN(FeatureSpace * space, OpenSpace(request));
  FeatureMatrix matrix{.dimension = request.dimension,
                       .values = std::vector<float>(request.digests.size() * request.dimension)};
  const std::vector<Wanted> missing = TakeCached(*space, std::move(images), matrix);
  if (missing.empty()) return matrix;

  const int64_t new_bytes = RecordBytes(request.dimension) * static_cast<int64_t>(missing.size());
  RETURN_IF_ERROR(EvictSpaces(root_, space->folder(), new_bytes, max_bytes_));
  Collector collector(missing, *space, matrix, on_progress, stop);
  RETURN_IF_ERROR(ComputeMissing(request, missing, *space, collector, matrix));
  return matrix;
}

}  // namespace graft::features
