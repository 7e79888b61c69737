#include "core/access/rate_limiter.h"

#include "core/base/errors.h"
#include "tests/testing/status_matchers.h"

namespace graft::access {
namespace {

using ::graft::testing::StatusIs;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

TEST(RateLimiterTest, BurstThenRate) {
  RateLimiter limiter({.calls_per_second = 10, .burst = 3, .max_streams = 1});
  absl::Time now = absl::UnixEpoch();
  for (int i = 0; i < 3; ++i) EXPECT_OK(limiter.Take("a", now)) << i;
  const absl::Status refused = limiter.Take("a", now);
  ASSERT_THAT(refused, StatusIs(kExhausted));
  const auto detail = DetailOf(refused);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(std::get<RetryDetail>(*detail).delay, absl::Milliseconds(100));
  EXPECT_OK(limiter.Take("b", now)) << "has a bucket of its own";
  now += absl::Milliseconds(99);
  EXPECT_THAT(limiter.Take("a", now), StatusIs(kExhausted));
  now += absl::Milliseconds(2);
  EXPECT_OK(limiter.Take("a", now));
  EXPECT_THAT(limiter.Take("a", now), StatusIs(kExhausted));
  now += absl::Hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_OK(limiter.Take("a", now)) << "after a pause the burst and no more " << i;
  EXPECT_THAT(limiter.Take("a", now), StatusIs(kExhausted));
}

TEST(RateLimiterTest, AClockThatGoesBackGivesNothing) {
  RateLimiter limiter({.calls_per_second = 1, .burst = 1, .max_streams = 1});
  const absl::Time now = absl::UnixEpoch() + absl::Hours(1);
  EXPECT_OK(limiter.Take("a", now));
  EXPECT_THAT(limiter.Take("a", now - absl::Minutes(1)), StatusIs(kExhausted));
}

TEST(RateLimiterTest, StreamsCountUntilTheyEnd) {
  auto limiter = std::make_unique<RateLimiter>(RateLimits{.calls_per_second = 1, .burst = 1, .max_streams = 2});
  ASSERT_OK_AND_ASSIGN(std::shared_ptr<void> first, limiter->TakeStream("a"));
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<void> second, limiter->TakeStream("a"));
  EXPECT_THAT(limiter->TakeStream("a"), StatusIs(kExhausted));
  EXPECT_OK(limiter->TakeStream("b"));
  first.reset();
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<void> third, limiter->TakeStream("a"));
  EXPECT_THAT(limiter->TakeStream("a"), StatusIs(kExhausted));
  limiter.reset();  // the streams may end later
}

}  // namespace
}  // namespace graft::access
