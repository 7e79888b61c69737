#include "core/train/epoch_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "core/train/random_order.h"

namespace graft::train {
namespace {

using ::testing::SizeIs;

constexpr int kImages = 100, kViews = 4;

TEST(EpochRowsTest, OneViewIsTheEpochsOrder) {
  EXPECT_EQ(EpochRows(7, 3, kImages, 1), EpochOrder(7, 3, kImages));
}

TEST(EpochRowsTest, AnEpochHasEachImageOnce) {
  std::vector<int64_t> images;
  for (const int64_t row : EpochRows(7, 3, kImages, kViews)) images.push_back(row % kImages);
  EXPECT_EQ(images, EpochOrder(7, 3, kImages));
}

TEST(EpochRowsTest, AsManyEpochsAsViewsHaveEachViewOnce) {
  std::set<int64_t> rows;
  for (int epoch = 5; epoch < 5 + kViews; ++epoch) {
    for (const int64_t row : EpochRows(7, epoch, kImages, kViews)) rows.insert(row);
  }
  EXPECT_THAT(rows, SizeIs(kImages * kViews));
  EXPECT_EQ(*rows.rbegin(), kImages * kViews - 1);
}

TEST(EpochRowsTest, EveryEpochHasAllKindsOfViews) {
  std::vector<int> counts(kViews);
  for (const int64_t row : EpochRows(7, 1, kImages, kViews)) ++counts[static_cast<size_t>(row / kImages)];
  EXPECT_GE(*std::min_element(counts.begin(), counts.end()), 10);
}

TEST(EpochRowsTest, IsAFunctionOfTheSeed) {
  EXPECT_EQ(EpochRows(7, 1, kImages, kViews), EpochRows(7, 1, kImages, kViews));
  EXPECT_NE(EpochRows(8, 1, kImages, kViews), EpochRows(7, 1, kImages, kViews));
}

}  // namespace
}  // namespace graft::train
