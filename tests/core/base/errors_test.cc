#include "core/base/errors.h"

#include "tests/testing/status_matchers.h"

namespace graft {
namespace {

TEST(ErrorsTest, InvalidFieldCarriesFieldAndReason) {
  const absl::Status status = InvalidField("spec.epochs", "must be 1 to 1000, got 0");
  EXPECT_THAT(status, testing::StatusIs(absl::StatusCode::kInvalidArgument, "spec.epochs: must be 1 to 1000, got 0"));
  const auto detail = DetailOf(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(std::get<FieldDetail>(*detail).field, "spec.epochs");
  EXPECT_EQ(std::get<FieldDetail>(*detail).reason, "must be 1 to 1000, got 0");
}

TEST(ErrorsTest, ContextKeepsCodeAndDetail) {
  const absl::Status status = WithContext(ResourceNotFound("model", "cats", "there are: dogs"), "classify");
  EXPECT_THAT(status, testing::StatusIs(absl::StatusCode::kNotFound, "classify: no model 'cats': there are: dogs"));
  EXPECT_EQ(std::get<ResourceDetail>(*DetailOf(status)).name, "cats");
}

TEST(ErrorsTest, RetryDelaySurvives) {
  const absl::Status status = RetryLater(absl::StatusCode::kResourceExhausted, "queue full", absl::Milliseconds(250));
  EXPECT_EQ(std::get<RetryDetail>(*DetailOf(status)).delay, absl::Milliseconds(250));
}

TEST(ErrorsTest, OnlyLeaseLostIsLeaseLost) {
  EXPECT_TRUE(IsLeaseLost(WithContext(LeaseLost("j"), "append")));
  EXPECT_FALSE(IsLeaseLost(absl::AbortedError("other")));
}

}  // namespace
}  // namespace graft
