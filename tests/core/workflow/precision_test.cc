#include "core/workflow/precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace graft::workflow {
namespace {

using engine::Precision;
using ::testing::ElementsAre;
using ::testing::Optional;

std::vector<int> UpTo(int count) {
  std::vector<int> indices(static_cast<size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

TEST(MeasuredPhotosTest, AreAllOfAFew) {
  EXPECT_THAT(MeasuredPhotos({7, 3, 9}), ElementsAre(7, 3, 9));
  EXPECT_THAT(MeasuredPhotos({}), ElementsAre());
  EXPECT_EQ(MeasuredPhotos(UpTo(500)), UpTo(500));
}

TEST(MeasuredPhotosTest, AreSpreadEvenlyOverMany) {
  const std::vector<int> measured = MeasuredPhotos(UpTo(1250));
  ASSERT_EQ(measured.size(), 500u);
  EXPECT_EQ(measured.front(), 0);
  for (size_t i = 1; i < measured.size(); ++i) {
    EXPECT_GE(measured[i] - measured[i - 1], 2);
    EXPECT_LE(measured[i] - measured[i - 1], 3);
  }
  EXPECT_GE(measured.back(), 1247);
}

TEST(CompareTest, TellsAccuraciesAndAgreement) {
  const jobs::PrecisionReport report =
      Compare(Precision::kBf16, {0, 1, 2, 2}, {.f32 = {{0, 1, 2, 1}}, .bf16 = {{0, 1, 0, 0}}});
  EXPECT_EQ(report.precision, "bf16");
  EXPECT_EQ(report.images, 4);
  EXPECT_THAT(report.accuracy_f32, Optional(0.75));
  EXPECT_THAT(report.accuracy_bf16, Optional(0.5));
  EXPECT_THAT(report.agreement, Optional(0.5));
}

TEST(CompareTest, SaysNothingOfAPrecisionThatTheDeviceLacks) {
  const jobs::PrecisionReport report = Compare(Precision::kF32, {0, 1}, {.f32 = {{0, 1}}});
  EXPECT_EQ(report.precision, "f32");
  EXPECT_THAT(report.accuracy_f32, Optional(1.0));
  EXPECT_EQ(report.accuracy_bf16, std::nullopt);
  EXPECT_EQ(report.agreement, std::nullopt);
}

TEST(ChooseByTest, ToleratesOnePhotoInTwoHundred) {
  const auto choose = [](int photos, int right_f32, int right_bf16) {
    return ChooseBy({.images = photos,
                     .accuracy_f32 = static_cast<double>(right_f32) / photos,
                     .accuracy_bf16 = static_cast<double>(right_bf16) / photos});
  };
  EXPECT_EQ(choose(200, 190, 190), Precision::kBf16);
  EXPECT_EQ(choose(200, 190, 189), Precision::kBf16);
  EXPECT_EQ(choose(200, 190, 188), Precision::kF32);
  EXPECT_EQ(choose(200, 188, 190), Precision::kBf16);
  EXPECT_EQ(choose(199, 190, 189), Precision::kF32);
  EXPECT_EQ(choose(500, 481, 479), Precision::kBf16);
  EXPECT_EQ(choose(500, 481, 478), Precision::kF32);
}

}  // namespace
}  // namespace graft::workflow
