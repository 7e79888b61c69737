// Scaled decoding changes no answers: heads trained on real photos give the same top class for a large JPEG whether it
// was decoded at full size or reduced in the DCT.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <iostream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/engine/engine.h"
#include "core/evaluate/metrics.h"
#include "core/image/stretched.h"
#include "core/train/head_trainer.h"
#include "server/weights/import_weights.h"
#include "tests/core/image/made_images.h"
#include "tests/testing/assets.h"
#include "tests/testing/network_assets.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::workflow {
namespace {

using image::testing::Contents;

constexpr int kClasses = 5;
constexpr int kSide = 224;
// Of each class. One photo of 4,000 pixels takes as long as ten of 1,280.
constexpr int kValidation = 15, kCompared = 30, kComparedAt4000 = 10;

struct Set {
  const char* name;
  int train;  // of each class
};
// The hardest gets what a job would train on: a head that hesitates is swayed by any change of a pixel.
constexpr Set kSets[] = {{"animals5", 60}, {"monkeys5", 60}, {"trashnet5", 140}};

struct Photo {
  std::string path;
  int label = 0;
};

struct Photos {
  std::vector<Photo> train, validation, compared;
};

// The first files of each class, in turns.
Photos PhotosOf(const std::string& dataset, int train) {
  std::vector<std::vector<std::string>> classes;
  for (const auto& folder : std::filesystem::directory_iterator(dataset)) {
    std::vector<std::string>& files = classes.emplace_back();
    for (const auto& file : std::filesystem::directory_iterator(folder)) files.push_back(file.path());
    std::sort(files.begin(), files.end());
  }
  std::sort(classes.begin(), classes.end());
  Photos photos;
  for (int i = 0; i < train + kValidation + kCompared; ++i) {
    std::vector<Photo>& part = i < train ? photos.train : i < train + kValidation ? photos.validation : photos.compared;
    for (int label = 0; label < kClasses; ++label) part.push_back({classes.at(label).at(i), label});
  }
  return photos;
}

void ForEach(size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back([&] {
      for (size_t j = next++; j < count; j = next++) work(j);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Same shape, `long_side` pixels, JPEG quality 90.
std::string Enlarged(const std::string& path, int long_side) {
  const cv::Mat original = cv::imread(path);
  const double scale = static_cast<double>(long_side) / std::max(original.rows, original.cols);
  cv::Mat large;
  cv::resize(original, large, {}, scale, scale, cv::INTER_LINEAR);
  std::vector<uint8_t> jpeg;
  cv::imencode(".jpg", large, jpeg, {cv::IMWRITE_JPEG_QUALITY, 90});
  return std::string(jpeg.begin(), jpeg.end());
}

struct Counts {
  int photos = 0, same = 0, right_full = 0, right_scaled = 0;
};

class DecodeAgreementTest : public ::testing::Test {
 protected:
  void LoadBackbone(const std::string& weights_path) {
    ASSERT_OK_AND_ASSIGN(const auto stored, server::ImportWeights(folder_.path(), kBackbone.backbone, weights_path));
    ASSERT_OK_AND_ASSIGN(engine_, engine::CreateEngine(stored, {}));
  }

  void TrainHead(const Photos& photos) {
    ASSERT_OK_AND_ASSIGN(auto trained, train::TrainHead(
                                           FeaturesOf(photos.train), FeaturesOf(photos.validation),
                                           {.classes = kClasses, .epochs = 25}, folder_ / "checkpoint", 0,
                                           [](const auto&) { return absl::OkStatus(); }, [] { return false; }));
    head_ = std::move(trained.head);
  }

  // Every photo must have been reduced.
  Counts Compare(const std::vector<Photo>& photos, int long_side) {
    train::LabelledFeatures full = RoomFor(photos), scaled = RoomFor(photos);
    ForEach(photos.size(), [&](size_t i) {
      const std::string bytes = Enlarged(photos[i].path, long_side);
      EXPECT_EQ(Run(bytes, /*reduce=*/false, full, i), 1);
      EXPECT_GT(Run(bytes, /*reduce=*/true, scaled, i), 1) << photos[i].path;
    });
    const std::vector<int> from_full = TopClasses(full), from_scaled = TopClasses(scaled);
    Counts counts{.photos = static_cast<int>(photos.size())};
    for (size_t i = 0; i < photos.size(); ++i) {
      counts.same += from_full[i] == from_scaled[i];
      counts.right_full += from_full[i] == photos[i].label;
      counts.right_scaled += from_scaled[i] == photos[i].label;
    }
    return counts;
  }

  static constexpr graft::testing::BackboneAsset kBackbone = graft::testing::kBackboneAssets[0];

 private:
  train::LabelledFeatures RoomFor(const std::vector<Photo>& photos) const {
    train::LabelledFeatures features{.dimension = engine_->facts().feature_dimension};
    features.values.resize(photos.size() * features.dimension);
    for (const Photo& photo : photos) features.labels.push_back(photo.label);
    return features;
  }

  // By how much the photo was reduced; 0 if there was an error.
  int Run(const std::string& bytes, bool reduce, train::LabelledFeatures& features, size_t index) {
    const auto input = image::DecodeStretched(bytes, {}, {.height = kSide, .width = kSide, .reduce = reduce});
    EXPECT_OK(input);
    const auto row = absl::MakeSpan(features.values).subspan(index * features.dimension, features.dimension);
    const bool ok = input.ok() && engine_->Run(input->pixels, 1, row, engine::Cores::kOne).ok();
    return ok ? input->reduction : 0;
  }

  train::LabelledFeatures FeaturesOf(const std::vector<Photo>& photos) {
    train::LabelledFeatures features = RoomFor(photos);
    ForEach(photos.size(), [&](size_t i) { EXPECT_GT(Run(Contents(photos[i].path), true, features, i), 0); });
    return features;
  }

  std::vector<int> TopClasses(const train::LabelledFeatures& features) const {
    const auto probabilities = train::Predict(head_, features, "cpu");
    EXPECT_OK(probabilities);
    return evaluate::TopClasses(*probabilities, kClasses);
  }

  const graft::testing::TemporaryFolder folder_;
  std::unique_ptr<engine::Engine> engine_;
  train::Head head_;
};

TEST_F(DecodeAgreementTest, ScaledAndFullDecodeGiveTheSameTopClass) {
  REQUIRE_ASSET(datasets, "datasets");
  REQUIRE_ASSET(weights, kBackbone.weights);
  LoadBackbone(weights);
  int compared = 0, same = 0;
  for (const Set& set : kSets) {
    Photos photos = PhotosOf(absl::StrCat(datasets, "/", set.name), set.train);
    TrainHead(photos);
    for (const int long_side : {1280, 4000}) {
      if (long_side == 4000) photos.compared.resize(kComparedAt4000 * kClasses);
      const Counts counts = Compare(photos.compared, long_side);
      std::cout << set.name << ", " << long_side << " pixels: " << counts.same << " of " << counts.photos
                << " agree; right at full size " << counts.right_full << ", scaled " << counts.right_scaled
                << std::endl;
      compared += counts.photos;
      same += counts.same;
    }
  }
  EXPECT_LE(compared - same, compared / 200) << "less than 99.5 % agree";
}

}  // namespace
}  // namespace graft::workflow
