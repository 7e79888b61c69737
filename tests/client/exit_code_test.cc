#include "client/commands/exit_code.h"

#include <gtest/gtest.h>

namespace graft::commands {
namespace {

TEST(ExitCodeTest, FollowsTheStatus) {
  EXPECT_EQ(ExitCodeFor(absl::OkStatus()), ExitCode::kSuccess);
  EXPECT_EQ(ExitCodeFor(absl::InvalidArgumentError("")), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeFor(absl::InternalError("")), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeFor(absl::CancelledError("")), ExitCode::kCancelled);
  EXPECT_EQ(ExitCodeFor(absl::UnauthenticatedError("")), ExitCode::kDenied);
  EXPECT_EQ(ExitCodeFor(absl::PermissionDeniedError("")), ExitCode::kDenied);
  EXPECT_EQ(ExitCodeFor(absl::UnavailableError("")), ExitCode::kUnavailable);
  EXPECT_EQ(ExitCodeFor(absl::DeadlineExceededError("")), ExitCode::kUnavailable);
  EXPECT_EQ(ExitCodeFor(absl::NotFoundError("")), ExitCode::kNotFound);
}

TEST(ExitCodeTest, FollowsTheJobsEnd) {
  EXPECT_EQ(ExitCodeFor(v1::JOB_STATE_SUCCEEDED), ExitCode::kSuccess);
  EXPECT_EQ(ExitCodeFor(v1::JOB_STATE_FAILED), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeFor(v1::JOB_STATE_CANCELLED), ExitCode::kCancelled);
  EXPECT_EQ(ExitCodeFor(v1::JOB_STATE_TRAINING), ExitCode::kFailed);
}

}  // namespace
}  // namespace graft::commands
