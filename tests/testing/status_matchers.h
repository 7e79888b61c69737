// IsOk, IsOkAndHolds and StatusIs for absl::Status, until the pinned Abseil has its own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace graft::testing {

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << StatusOf(arg);
  return arg.ok();
}

MATCHER_P(StatusIs, code, absl::StatusCodeToString(code)) {
  *result_listener << StatusOf(arg);
  return StatusOf(arg).code() == code;
}

MATCHER_P2(StatusIs, code, message, absl::StatusCodeToString(code)) {
  *result_listener << StatusOf(arg);
  return StatusOf(arg).code() == code &&
         ::testing::ExplainMatchResult(message, std::string(StatusOf(arg).message()), result_listener);
}

MATCHER_P(IsOkAndHolds, value, "is OK and holds") {
  *result_listener << StatusOf(arg);
  return arg.ok() && ::testing::ExplainMatchResult(value, *arg, result_listener);
}

}  // namespace graft::testing

#define ASSERT_OK(expression) ASSERT_THAT(expression, ::graft::testing::IsOk())
#define EXPECT_OK(expression) EXPECT_THAT(expression, ::graft::testing::IsOk())

#define GRAFT_TEST_CONCAT_INNER(a, b) a##b
#define GRAFT_TEST_CONCAT(a, b) GRAFT_TEST_CONCAT_INNER(a, b)
#define ASSERT_OK_AND_ASSIGN(target, expression) \
  GRAFT_ASSERT_OK_AND_ASSIGN(GRAFT_TEST_CONCAT(graft_test_statusor_, __LINE__), target, expression)
#define GRAFT_ASSERT_OK_AND_ASSIGN(statusor, target, expression) \
  auto statusor = (expression);                                  \
  ASSERT_OK(statusor);                                           \
  target = *std::move(statusor)
