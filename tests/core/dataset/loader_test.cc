// Batches are what was asked for, in order, whatever the threads, the prefetching and the cache.
#include "core/dataset/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::dataset {
namespace {

using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kSide = 24;
constexpr int64_t kInputBytes = kSide * kSide * 3;

// Red tells the number; the rest differs within the picture, so that augmentation shows.
std::string Picture(int number, const std::string& extension) {
  cv::Mat pixels(40, 64, CV_8UC3);
  for (int y = 0; y < pixels.rows; ++y) {
    for (int x = 0; x < pixels.cols; ++x) {
      pixels.at<cv::Vec3b>(y, x) =
          cv::Vec3b(static_cast<uint8_t>(3 * x), static_cast<uint8_t>(5 * y), static_cast<uint8_t>(number));
    }
  }
  std::vector<uint8_t> bytes;
  cv::imencode(extension, pixels, bytes);
  return std::string(bytes.begin(), bytes.end());
}

class LoaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(folder_ / "graft.db"));
    ASSERT_OK_AND_ASSIGN(blobs_, store::BlobStore::Open(folder_ / "blobs", database_.get()));
  }

  void AddPhoto(std::string path, int label, std::string bytes) {
    const std::string sha256 = Sha256Hex(bytes);
    ASSERT_OK(blobs_->Put({store::Blob{.sha256 = sha256, .bytes = std::move(bytes)}}));
    photos_.push_back({.path = std::move(path), .label = label, .sha256 = sha256});
  }
  // Labels are the numbers modulo 10.
  void AddPhotos(int count, const std::string& extension = ".png") {
    for (int i = 0; i < count; ++i) AddPhoto(absl::StrCat("photo", i, extension), i % 10, Picture(i, extension));
  }

  static LoaderOptions Options(int threads = 2) {
    return {.target = {.height = kSide, .width = kSide}, .threads = threads};
  }
  static LoaderOptions Augmented(int threads, int64_t cache_bytes = 0) {
    LoaderOptions options = Options(threads);
    options.augment = *image::NamedAugment("strong");
    options.seed = 7;
    options.cache_bytes = cache_bytes;
    return options;
  }

  std::unique_ptr<Loader> Make(const LoaderOptions& options) {
    auto loader = Loader::Create(photos_, options, blobs_.get());
    EXPECT_OK(loader);
    return *std::move(loader);
  }
  std::vector<int64_t> InOrder() const {
    std::vector<int64_t> order(photos_.size());
    std::iota(order.begin(), order.end(), 0);
    return order;
  }

  static std::vector<LoadedBatch> RunEpoch(Loader& loader, int epoch, std::vector<int64_t> order, int batch_size,
                                           int64_t first = 0) {
    EXPECT_OK(loader.StartEpoch(epoch, std::move(order), batch_size, first));
    std::vector<LoadedBatch> batches;
    while (true) {
      auto batch = loader.Next();
      EXPECT_OK(batch);
      if (!batch.ok() || !batch->has_value()) return batches;
      EXPECT_EQ((*batch)->images.size(), static_cast<size_t>((*batch)->count * kInputBytes));
      EXPECT_EQ((*batch)->labels.size(), static_cast<size_t>((*batch)->count));
      batches.push_back(**std::move(batch));
    }
  }
  static std::optional<LoadedBatch> NextOrDie(Loader& loader) {
    auto batch = loader.Next();
    EXPECT_OK(batch);
    return batch.ok() ? *std::move(batch) : std::nullopt;
  }
  // All images of the batches, one after another.
  static std::vector<uint8_t> Pixels(const std::vector<LoadedBatch>& batches) {
    std::vector<uint8_t> pixels;
    for (const LoadedBatch& batch : batches) pixels.insert(pixels.end(), batch.images.begin(), batch.images.end());
    return pixels;
  }
  static std::vector<int> Counts(const std::vector<LoadedBatch>& batches) {
    std::vector<int> counts;
    for (const LoadedBatch& batch : batches) counts.push_back(batch.count);
    return counts;
  }

  testing::TemporaryFolder folder_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::BlobStore> blobs_;
  std::vector<Example> photos_;
};

TEST_F(LoaderTest, BatchesHaveThePhotosInOrderAsServingSeesThem) {
  AddPhotos(7, ".jpg");
  const auto loader = Make(Options());
  EXPECT_EQ(loader->images(), 7);
  const std::vector<int64_t> order = {6, 0, 3, 3, 5, 1, 2};
  const std::vector<LoadedBatch> batches = RunEpoch(*loader, 1, order, 3);
  EXPECT_THAT(Counts(batches), ElementsAre(3, 3, 1));
  EXPECT_THAT(batches[0].labels, ElementsAre(6, 0, 3));
  EXPECT_THAT(batches[1].labels, ElementsAre(3, 5, 1));
  EXPECT_THAT(batches[2].labels, ElementsAre(2));
  std::vector<uint8_t> expected;
  for (const int64_t photo : order) {
    ASSERT_OK_AND_ASSIGN(const image::StretchedImage plain,
                         image::DecodeStretched(Picture(static_cast<int>(photo), ".jpg"), {}, Options().target));
    expected.insert(expected.end(), plain.pixels.begin(), plain.pixels.end());
  }
  EXPECT_EQ(Pixels(batches), expected);
}

TEST_F(LoaderTest, PixelsDoNotDependOnThreadsBatchesPrefetchOrCache) {
  AddPhotos(23);
  const auto reference = Make(Augmented(1));
  const std::vector<uint8_t> first = Pixels(RunEpoch(*reference, 1, InOrder(), 4));
  const std::vector<uint8_t> second = Pixels(RunEpoch(*reference, 2, InOrder(), 4));
  EXPECT_NE(first, second);
  for (const int64_t cache_bytes : {int64_t{0}, 5 * kInputBytes, int64_t{1} << 30}) {
    LoaderOptions options = Augmented(3, cache_bytes);
    options.prefetch_batches = cache_bytes == 0 ? 1 : 8;
    const auto loader = Make(options);
    EXPECT_EQ(Pixels(RunEpoch(*loader, 1, InOrder(), 5)), first);
    EXPECT_EQ(Pixels(RunEpoch(*loader, 2, InOrder(), 23)), second);
    EXPECT_EQ(Pixels(RunEpoch(*loader, 1, InOrder(), 1)), first);
  }
}

TEST_F(LoaderTest, ManyTinyBatchesKeepTheirOrder) {
  AddPhotos(10);
  LoaderOptions options = Options(4);
  options.prefetch_batches = 3;
  options.cache_bytes = 1 << 20;
  const auto loader = Make(options);
  std::vector<int64_t> order(3000);
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i * 7 % 10);
  const std::vector<LoadedBatch> batches = RunEpoch(*loader, 1, order, 1);
  ASSERT_EQ(batches.size(), order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    ASSERT_EQ(batches[i].labels[0], order[i]);
    ASSERT_EQ(int{batches[i].images[0]}, order[i]) << i;  // red
  }
}

TEST_F(LoaderTest, AnEpochGoneOnWithSeesThePixelsOfAnUndisturbedOne) {
  AddPhotos(20);
  std::vector<int64_t> order = InOrder();
  std::reverse(order.begin(), order.end());
  const auto undisturbed = Make(Augmented(2));
  const std::vector<uint8_t> whole = Pixels(RunEpoch(*undisturbed, 3, order, 6));
  const auto resumed = Make(Augmented(2, 1 << 20));
  const std::vector<LoadedBatch> rest = RunEpoch(*resumed, 3, order, 6, 12);
  EXPECT_THAT(Counts(rest), ElementsAre(6, 2));
  EXPECT_EQ(Pixels(rest), std::vector<uint8_t>(whole.begin() + 12 * kInputBytes, whole.end()));
  EXPECT_EQ(RunEpoch(*resumed, 3, order, 6, 20).size(), 0u);
}

TEST_F(LoaderTest, AnEpochCanBeGivenUpAtAnyBatch) {
  AddPhotos(30);
  const auto loader = Make(Options(3));
  for (int taken = 0; taken < 8; ++taken) {
    ASSERT_OK(loader->StartEpoch(1, InOrder(), 4, 0));
    for (int i = 0; i < taken; ++i) {
      ASSERT_OK_AND_ASSIGN(const std::optional<LoadedBatch> batch, loader->Next());
      ASSERT_TRUE(batch.has_value());
      EXPECT_EQ(int{batch->images[0]}, 4 * i);
    }
  }
}

TEST_F(LoaderTest, CanBeDestroyedInTheMiddleOfAnEpoch) {
  AddPhotos(30);
  for (int i = 0; i < 20; ++i) {
    const auto loader = Make(Augmented(4));
    ASSERT_OK(loader->StartEpoch(1, InOrder(), 4, 0));
    if (i % 2 == 0) {
      EXPECT_OK(loader->Next());
    }
  }
}

TEST_F(LoaderTest, NothingComesBeforeAnEpochAndAfterItsEnd) {
  AddPhotos(3);
  const auto loader = Make(Options());
  EXPECT_FALSE(NextOrDie(*loader).has_value());
  EXPECT_EQ(RunEpoch(*loader, 1, InOrder(), 2).size(), 2u);
  EXPECT_FALSE(NextOrDie(*loader).has_value());
}

TEST_F(LoaderTest, ABadPhotoFailsItsBatchByNameAfterThoseBefore) {
  AddPhotos(9);
  AddPhoto("cat/broken.jpg", 1, Picture(50, ".jpg").substr(0, 300));
  AddPhoto("cat/text.jpg", 1, "no picture at all");
  for (const int threads : {1, 4}) {
    const auto loader = Make(Options(threads));
    ASSERT_OK(loader->StartEpoch(1, {0, 1, 2, 3, 4, 9, 10, 5, 6}, 4, 0));
    ASSERT_OK_AND_ASSIGN(const std::optional<LoadedBatch> good, loader->Next());
    EXPECT_EQ(good->count, 4);
    const auto is_named = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cat/broken.jpg"));
    EXPECT_THAT(loader->Next(), is_named);
    EXPECT_THAT(loader->Next(), is_named);  // and stays
    EXPECT_EQ(RunEpoch(*loader, 1, {0, 1, 2}, 2).size(), 2u);
  }
}

TEST_F(LoaderTest, AMissingPhotoIsNamed) {
  photos_.push_back({.path = "cat/gone.jpg", .label = 0, .sha256 = std::string(64, 'a')});
  const auto loader = Make(Options());
  ASSERT_OK(loader->StartEpoch(1, {0}, 1, 0));
  EXPECT_THAT(loader->Next(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("cat/gone.jpg")));
}

TEST_F(LoaderTest, RefusesWhatIsOutOfRange) {
  AddPhotos(3);
  const auto loader = Make(Options());
  using enum absl::StatusCode;
  EXPECT_THAT(loader->StartEpoch(1, {0, 3}, 2, 0), StatusIs(kInvalidArgument, HasSubstr("no photo 3 among 3")));
  EXPECT_THAT(loader->StartEpoch(1, {-1}, 2, 0), StatusIs(kInvalidArgument));
  EXPECT_THAT(loader->StartEpoch(1, {0}, 0, 0), StatusIs(kInvalidArgument, HasSubstr("batch size 0")));
  EXPECT_THAT(loader->StartEpoch(1, {0}, 1, 2), StatusIs(kInvalidArgument, HasSubstr("no position 2")));
  LoaderOptions options = Options(0);
  EXPECT_THAT(Loader::Create(photos_, options, blobs_.get()), StatusIs(kInvalidArgument));
  options = Options();
  options.augment.flip = 2;
  EXPECT_THAT(Loader::Create(photos_, options, blobs_.get()), StatusIs(kInvalidArgument, HasSubstr("augment.flip")));
}

TEST_F(LoaderTest, KeptPicturesAreDecodedOnce) {
  AddPhotos(12);
  LoaderOptions options = Options();
  options.cache_bytes = 1 << 20;
  const auto loader = Make(options);
  for (int epoch = 1; epoch <= 3; ++epoch) RunEpoch(*loader, epoch, InOrder(), 5);
  const LoaderStats stats = loader->stats();
  EXPECT_EQ(stats.images, 36);
  EXPECT_EQ(stats.images_decoded, 12);
  EXPECT_EQ(stats.cached_bytes, 12 * kInputBytes);
}

TEST_F(LoaderTest, TheCacheKeepsToItsBound) {
  AddPhotos(12);
  LoaderOptions options = Options();
  options.cache_bytes = 5 * kInputBytes + 1;
  const auto loader = Make(options);
  for (int epoch = 1; epoch <= 3; ++epoch) RunEpoch(*loader, epoch, InOrder(), 5);
  EXPECT_EQ(loader->stats().images_decoded, 12 + 7 + 7);
  EXPECT_EQ(loader->stats().cached_bytes, 5 * kInputBytes);
}

TEST_F(LoaderTest, LoadsNoFurtherAheadThanItMay) {
  AddPhotos(30);
  LoaderOptions options = Options(4);
  options.prefetch_bytes = 4 * kInputBytes;  // two batches of two
  const auto loader = Make(options);
  ASSERT_OK(loader->StartEpoch(1, InOrder(), 2, 0));
  for (int taken = 1; taken <= 15; ++taken) {
    ASSERT_OK_AND_ASSIGN(const std::optional<LoadedBatch> batch, loader->Next());
    EXPECT_LE(loader->stats().images, 2 * (taken + 2));
  }
}

TEST_F(LoaderTest, CountsItsWorkAndItsCallersWaiting) {
  AddPhotos(12);
  const auto loader = Make(Options());
  EXPECT_EQ(loader->stats().images_per_second, 0);
  RunEpoch(*loader, 1, InOrder(), 4);
  const LoaderStats stats = loader->stats();
  EXPECT_EQ(stats.images, 12);
  EXPECT_GT(stats.busy_seconds, 0);
  EXPECT_DOUBLE_EQ(stats.images_per_second, 12 * 2 / stats.busy_seconds);
  EXPECT_GE(stats.seconds_waited, 0);
}

}  // namespace
}  // namespace graft::dataset
