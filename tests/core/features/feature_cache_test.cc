#include "core/features/feature_cache.h"

#include <filesystem>
#include <fstream>

#include "core/base/digest.h"
#include "core/features/feature_file.h"
#include "tests/testing/bmp.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::features {
namespace {

namespace fs = std::filesystem;
using ::graft::testing::FakeEngine;
using ::graft::testing::StatusIs;
using ::graft::testing::TemporaryFolder;
using ::testing::HasSubstr;

constexpr int kDimension = 6;
constexpr int kInputSize = 8;
constexpr int64_t kPlenty = 1 << 30;

network::BackboneFacts SmallFacts() {
  return {.name = "small", .title = "Small", .input_size = kInputSize, .feature_dimension = kDimension};
}

class FeatureCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(folder_ / "graft.db"));
    ASSERT_OK_AND_ASSIGN(blobs_, store::BlobStore::Open(folder_ / "blobs", database_.get()));
  }

  // Digests of `count` stored pictures, the first being number `first`.
  std::vector<std::string> StorePictures(int first, int count) {
    std::vector<store::Blob> blobs;
    std::vector<std::string> digests;
    for (int i = first; i < first + count; ++i) {
      const auto shade = static_cast<uint8_t>(i);
      std::string bytes = testing::MakeBmp(16, {shade, 100, static_cast<uint8_t>(200 - shade)}, i);
      digests.push_back(Sha256Hex(bytes));
      blobs.push_back({digests.back(), std::move(bytes)});
    }
    EXPECT_OK(blobs_->Put(blobs));
    return digests;
  }

  // Of a new process: nothing is known but what lies on disk.
  absl::StatusOr<FeatureMatrix> Get(
      const std::vector<std::string>& digests, FakeEngine& engine, int lanes = 2,
      const std::function<bool()>& stop = [] { return false; }) {
    FeatureCache cache(root_, kPlenty);
    return cache.GetOrCompute(
        Request(digests, engine, lanes), [](const FeatureProgress&) {}, stop);
  }
  FeatureRequest Request(const std::vector<std::string>& digests, FakeEngine& engine, int lanes) {
    return {.digests = digests,
            .preprocess = {.height = kInputSize, .width = kInputSize},
            .weights_sha256 = "weights",
            .engine_id = engine.id(),
            .dimension = kDimension,
            .engine = [this, &engine]() -> absl::StatusOr<engine::Engine*> {
              ++engines_asked_;
              return &engine;
            },
            .blobs = blobs_.get(),
            .lanes = lanes};
  }
  // The only one there is.
  std::string FeatureFile() {
    std::string path;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (entry.path().extension() == ".features") path = entry.path().string();
    }
    return path;
  }

  TemporaryFolder folder_;
  const std::string root_ = folder_ / "features";
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::BlobStore> blobs_;
  FakeEngine engine_{SmallFacts()};
  int engines_asked_ = 0;
};

TEST_F(FeatureCacheTest, SecondCallComputesNothingAndLoadsNoEngine) {
  const std::vector<std::string> digests = StorePictures(0, 20);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix first, Get(digests, engine_));
  EXPECT_EQ(first.images_computed, 20);
  EXPECT_EQ(first.images_from_cache, 0);
  EXPECT_EQ(engine_.images(), 20);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix second, Get(digests, engine_));
  EXPECT_EQ(second.images_computed, 0);
  EXPECT_EQ(second.images_from_cache, 20);
  EXPECT_EQ(second.values, first.values);
  EXPECT_EQ(engine_.images(), 20);
  EXPECT_EQ(engines_asked_, 1);
}

TEST_F(FeatureCacheTest, SameObjectFindsWhatItWrote) {
  const std::vector<std::string> digests = StorePictures(0, 5);
  FeatureCache cache(root_, kPlenty);
  const auto ignore = [](const FeatureProgress&) {};
  const auto never = [] { return false; };
  ASSERT_OK(cache.GetOrCompute(Request(digests, engine_, 1), ignore, never));
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix second, cache.GetOrCompute(Request(digests, engine_, 1), ignore, never));
  EXPECT_EQ(second.images_from_cache, 5);
}

TEST_F(FeatureCacheTest, RowsAreInTheOrderAskedAndOnlyNewImagesAreComputed) {
  std::vector<std::string> digests = StorePictures(0, 6);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix known, Get(digests, engine_));
  const std::vector<std::string> added = StorePictures(6, 2);
  const std::vector<std::string> mixed = {added[1], digests[3], added[0], digests[0]};
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix matrix, Get(mixed, engine_));
  EXPECT_EQ(matrix.images_computed, 2);
  EXPECT_EQ(matrix.images_from_cache, 2);
  EXPECT_EQ(engine_.images(), 8);
  for (int i = 0; i < kDimension; ++i) {
    EXPECT_EQ(matrix.values[1 * kDimension + i], known.values[3 * kDimension + i]);
    EXPECT_EQ(matrix.values[3 * kDimension + i], known.values[0 * kDimension + i]);
  }
  EXPECT_NE(matrix.values[0], matrix.values[2 * kDimension]);
}

TEST_F(FeatureCacheTest, ImageAskedForTwiceIsComputedOnce) {
  const std::vector<std::string> digests = StorePictures(0, 2);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix matrix, Get({digests[0], digests[1], digests[0]}, engine_));
  EXPECT_EQ(engine_.images(), 2);
  EXPECT_EQ(matrix.images_computed, 3);
  for (int i = 0; i < kDimension; ++i) EXPECT_EQ(matrix.values[i], matrix.values[2 * kDimension + i]);
}

TEST_F(FeatureCacheTest, LessMemoryMeansFewerImagesAtATimeAndTheSameValues) {
  const std::vector<std::string> digests = StorePictures(0, 37);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix undivided, Get(digests, engine_, 2));
  for (const auto& [divisor, batch] : {std::pair{2, 4}, std::pair{8, 1}, std::pair{64, 1}}) {
    fs::remove_all(root_);
    FakeEngine grouping(SmallFacts(), 8);
    FeatureRequest request = Request(digests, grouping, 2);
    request.memory_divisor = divisor;
    FeatureCache cache(root_, kPlenty);
    ASSERT_OK_AND_ASSIGN(const FeatureMatrix divided,
                         cache.GetOrCompute(
                             request, [](const FeatureProgress&) {}, [] { return false; }));
    EXPECT_EQ(divided.values, undivided.values);
    EXPECT_EQ(grouping.largest_batch(), batch) << divisor;
  }
}

TEST_F(FeatureCacheTest, ValuesDoNotDependOnLanesAndGroups) {
  const std::vector<std::string> digests = StorePictures(0, 37);
  FakeEngine grouping(SmallFacts(), 8);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix one_by_one, Get(digests, engine_, 1));
  fs::remove_all(root_);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix grouped, Get(digests, grouping, 3));
  EXPECT_EQ(grouped.values, one_by_one.values);
  EXPECT_EQ(engine_.largest_batch(), 1);
  EXPECT_EQ(grouping.largest_batch(), 8);
  EXPECT_EQ(grouping.runs(), 5);
}

TEST_F(FeatureCacheTest, TornTailIsComputedAgain) {
  const std::vector<std::string> digests = StorePictures(0, 10);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix whole, Get(digests, engine_));
  const std::string path = FeatureFile();
  fs::resize_file(path, fs::file_size(path) - 7);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix again, Get(digests, engine_));
  EXPECT_EQ(again.images_computed, 1);
  EXPECT_EQ(again.values, whole.values);
}

TEST_F(FeatureCacheTest, DamagedRecordIsComputedAgain) {
  const std::vector<std::string> digests = StorePictures(0, 10);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix whole, Get(digests, engine_));
  std::fstream(FeatureFile(), std::ios::binary | std::ios::in | std::ios::out)
          .seekp(16 + 2 * RecordBytes(kDimension) + 40)
      << "\xff";
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix again, Get(digests, engine_));
  EXPECT_EQ(again.images_computed, 1);
  EXPECT_EQ(again.values, whole.values);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix repaired, Get(digests, engine_));
  EXPECT_EQ(repaired.images_computed, 0);
}

TEST_F(FeatureCacheTest, StopKeepsWhatWasComputed) {
  const std::vector<std::string> digests = StorePictures(0, 40);
  const auto after_ten = [this] { return engine_.images() >= 10; };
  EXPECT_THAT(Get(digests, engine_, 1, after_ten), StatusIs(absl::StatusCode::kCancelled));
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix rest, Get(digests, engine_, 1));
  EXPECT_GE(rest.images_from_cache, 1);
  EXPECT_EQ(rest.images_from_cache + rest.images_computed, 40);
}

TEST_F(FeatureCacheTest, ErrorsNameThePhotoAndKeepTheirCode) {
  std::vector<std::string> digests = StorePictures(0, 3);
  const std::string broken = "this is no photo";
  ASSERT_OK(blobs_->Put({store::Blob{Sha256Hex(broken), broken}}));
  digests.push_back(Sha256Hex(broken));
  EXPECT_THAT(Get(digests, engine_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(Sha256Hex(broken))));
  digests.back() = Sha256Hex("never stored");
  EXPECT_THAT(Get(digests, engine_), StatusIs(absl::StatusCode::kNotFound));
  engine_.FailFromNowOn();
  EXPECT_THAT(Get(StorePictures(10, 1), engine_), StatusIs(absl::StatusCode::kInternal));
}

class FeatureViewTest : public FeatureCacheTest {
 protected:
  absl::StatusOr<FeatureMatrix> GetView(const PhotoView& view) {
    FeatureRequest request = Request(digests_, engine_, 2);
    request.view = view;
    FeatureCache cache(root_, kPlenty);
    return cache.GetOrCompute(
        request, [](const FeatureProgress&) {}, [] { return false; });
  }
  static PhotoView View(int number, uint32_t seed = 1) {
    return {.number = number, .augment = {.brightness = 0.5}, .seed = seed};
  }

  std::vector<std::string> digests_;
};

TEST_F(FeatureViewTest, ViewZeroIsThePlainPhotoAndSharesItsFeatures) {
  digests_ = StorePictures(0, 4);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix plain, GetView({}));
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix zero, GetView(View(0)));
  EXPECT_EQ(zero.images_from_cache, 4);
  EXPECT_EQ(zero.values, plain.values);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix off, GetView({.number = 3}));
  EXPECT_EQ(off.images_from_cache, 4);
}

TEST_F(FeatureViewTest, EachViewIsKeptOnItsOwn) {
  digests_ = StorePictures(0, 4);
  std::vector<std::vector<float>> values;
  for (const PhotoView& view : {PhotoView{}, View(1), View(2), View(1, /*seed=*/2)}) {
    ASSERT_OK_AND_ASSIGN(const FeatureMatrix matrix, GetView(view));
    EXPECT_EQ(matrix.images_computed, 4);
    for (const std::vector<float>& other : values) EXPECT_NE(matrix.values, other);
    values.push_back(matrix.values);
  }
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix again, GetView(View(2)));
  EXPECT_EQ(again.images_from_cache, 4);
  EXPECT_EQ(again.values, values[2]);
}

TEST_F(FeatureViewTest, IsOfTheAugmentedPhoto) {
  digests_ = StorePictures(0, 3);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix matrix, GetView(View(2)));
  for (size_t i = 0; i < digests_.size(); ++i) {
    ASSERT_OK_AND_ASSIGN(const std::string photo, blobs_->Get(digests_[i]));
    std::vector<uint8_t> input(kInputSize * kInputSize * 3);
    ASSERT_OK(image::DecodeAugmented(photo, {}, {.height = kInputSize, .width = kInputSize}, View(2).augment,
                                     image::AugmentSeed(1, digests_[i], 2), absl::MakeSpan(input)));
    std::vector<float> features(kDimension);
    ASSERT_OK(engine_.Run(input, 1, absl::MakeSpan(features), engine::Cores::kOne));
    EXPECT_EQ(features, std::vector<float>(matrix.values.begin() + static_cast<int64_t>(i) * kDimension,
                                           matrix.values.begin() + static_cast<int64_t>(i + 1) * kDimension));
  }
}

TEST_F(FeatureCacheTest, CountsWhatComputingTook) {
  const std::vector<std::string> digests = StorePictures(0, 20);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix first, Get(digests, engine_, 2));
  EXPECT_EQ(first.cost.images, 20);
  EXPECT_EQ(first.cost.lanes, 2);
  EXPECT_GT(first.cost.decode_seconds, 0);
  EXPECT_GT(first.cost.forward_seconds, 0);
  EXPECT_DOUBLE_EQ(first.cost.decoded_per_second(), 20 * 2 / first.cost.decode_seconds);
  EXPECT_DOUBLE_EQ(first.cost.forwarded_per_second(), 20 * 2 / first.cost.forward_seconds);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix second, Get(digests, engine_, 2));
  EXPECT_EQ(second.cost.images, 0);
  EXPECT_EQ(second.cost.decoded_per_second(), 0);
}

TEST_F(FeatureCacheTest, SpacesBeyondTheBoundMakeRoom) {
  FeatureCache small(root_, 3 * RecordBytes(kDimension));
  FeatureRequest request = Request({}, engine_, 1);
  const std::vector<std::string> digests = StorePictures(0, 2);
  request.digests = digests;
  for (const char* weights : {"one", "two"}) {
    request.weights_sha256 = weights;
    ASSERT_OK(small.GetOrCompute(
        request, [](const FeatureProgress&) {}, [] { return false; }));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), {}), 1);
  ASSERT_OK_AND_ASSIGN(const FeatureMatrix kept, small.GetOrCompute(
                                                     request, [](const FeatureProgress&) {}, [] { return false; }));
  EXPECT_EQ(kept.images_from_cache, 2);
}

}  // namespace
}  // namespace graft::features
