#include "server/services/open_inference_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace graft::services {
namespace {

using ::testing::SizeIs;

constexpr InferTimes kTimes = {.total = absl::Milliseconds(15),
                               .queue = absl::ZeroDuration(),
                               .input = absl::Milliseconds(2),
                               .infer = absl::Milliseconds(10),
                               .output = absl::Milliseconds(1)};

TEST(OpenInferenceStatisticsTest, CountsRequestsImagesAndTimes) {
  OpenInferenceStatistics statistics;
  statistics.Succeeded("animals", 3, {1, 2, 3, 4}, kTimes);
  statistics.Succeeded("animals", 3, {5, 6, 7, 8}, kTimes);
  statistics.Succeeded("animals", 3, {9}, kTimes);
  statistics.Failed("animals", 3, absl::Milliseconds(7));
  const auto one = statistics.Of("animals", 3);
  EXPECT_EQ(one.name(), "animals");
  EXPECT_EQ(one.version(), "3");
  EXPECT_EQ(one.inference_count(), 9);
  EXPECT_EQ(one.execution_count(), 9);
  EXPECT_GT(one.last_inference(), 0);
  EXPECT_EQ(one.inference_stats().success().count(), 3);
  EXPECT_EQ(one.inference_stats().success().ns(), 45'000'000);
  EXPECT_EQ(one.inference_stats().fail().count(), 1);
  EXPECT_EQ(one.inference_stats().fail().ns(), 7'000'000);
  EXPECT_EQ(one.inference_stats().compute_input().ns(), 6'000'000);
  EXPECT_EQ(one.inference_stats().compute_infer().ns(), 30'000'000);
  EXPECT_EQ(one.inference_stats().compute_output().ns(), 3'000'000);
  // Also those that never waited: perf_analyzer looks for the version whose queue count grows.
  EXPECT_EQ(one.inference_stats().queue().count(), 3);
  EXPECT_EQ(one.inference_stats().queue().ns(), 0);
  ASSERT_THAT(one.batch_stats(), SizeIs(2));
  EXPECT_EQ(one.batch_stats(0).batch_size(), 4);
  EXPECT_EQ(one.batch_stats(0).compute_infer().count(), 2);
  EXPECT_EQ(one.batch_stats(1).batch_size(), 1);
}

TEST(OpenInferenceStatisticsTest, SharedPassIsOneExecutionOfEachVersionInIt) {
  OpenInferenceStatistics statistics;
  statistics.Succeeded("animals", 3, {7, 7, 8}, kTimes);
  statistics.Succeeded("animals", 3, {8, 7}, kTimes);
  statistics.Succeeded("plants", 1, {8}, kTimes);
  statistics.Succeeded("animals", 3, {0}, kTimes);  // kept from another time
  EXPECT_EQ(statistics.Of("animals", 3).inference_count(), 6);
  EXPECT_EQ(statistics.Of("animals", 3).execution_count(), 2);
  EXPECT_EQ(statistics.Of("plants", 1).execution_count(), 1);
  for (int64_t pass = 9; pass <= 2000; ++pass) statistics.Succeeded("animals", 3, {pass, pass}, kTimes);
  EXPECT_EQ(statistics.Of("animals", 3).execution_count(), 1994);
}

TEST(OpenInferenceStatisticsTest, ListsWhatWasAsked) {
  OpenInferenceStatistics statistics;
  EXPECT_EQ(statistics.Of("animals", 1).inference_stats().success().count(), 0);
  EXPECT_TRUE(statistics.OfAll("").empty());
  statistics.Succeeded("plants", 2, {1}, kTimes);
  statistics.Succeeded("animals", 10, {1}, kTimes);
  statistics.Succeeded("animals", 9, {1}, kTimes);
  const auto all = statistics.OfAll("");
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].version(), "9");
  EXPECT_EQ(all[1].version(), "10");
  EXPECT_EQ(all[2].name(), "plants");
  EXPECT_THAT(statistics.OfAll("animals"), SizeIs(2));
}

TEST(OpenInferenceStatisticsTest, TheLongestUnaskedLeaveFirst) {
  OpenInferenceStatistics statistics;
  constexpr int kMost = static_cast<int>(OpenInferenceStatistics::kMaxVersions);
  for (int number = 1; number <= kMost; ++number) statistics.Succeeded("animals", number, {1}, kTimes);
  statistics.Succeeded("animals", 1, {1}, kTimes);
  statistics.Succeeded("animals", kMost + 1, {1}, kTimes);
  EXPECT_THAT(statistics.OfAll(""), SizeIs(kMost));
  EXPECT_EQ(statistics.Of("animals", 1).inference_count(), 2);
  EXPECT_EQ(statistics.Of("animals", 2).inference_count(), 0);
  EXPECT_EQ(statistics.Of("animals", kMost + 1).inference_count(), 1);
}

}  // namespace
}  // namespace graft::services
