#include "core/base/status_from_throw.h"

#include <stdexcept>

#include "core/base/status_macros.h"
#include "tests/testing/status_matchers.h"

namespace graft {
namespace {

using ::graft::testing::IsOkAndHolds;
using ::graft::testing::StatusIs;

constexpr auto kCode = absl::StatusCode::kInvalidArgument;

TEST(StatusFromThrowTest, PassesResultsThrough) {
  EXPECT_THAT(StatusFromThrow(kCode, "add", [] { return 3; }), IsOkAndHolds(3));
  EXPECT_OK(StatusFromThrow(kCode, "nothing", [] {}));
  EXPECT_THAT(StatusFromThrow(kCode, "fail", [] { return absl::NotFoundError("x"); }),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(StatusFromThrow(kCode, "fail", []() -> absl::StatusOr<int> { return absl::NotFoundError("x"); }),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST(StatusFromThrowTest, MapsWhatIsThrown) {
  EXPECT_THAT(StatusFromThrow(kCode, "decode", []() -> int { throw std::runtime_error("bad"); }),
              StatusIs(kCode, "decode: bad"));
  EXPECT_THAT(StatusFromThrow(kCode, "decode", [] { throw std::bad_alloc(); }),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(StatusFromThrow(kCode, "decode", [] { throw 3; }), StatusIs(absl::StatusCode::kInternal));
}

TEST(StatusMacrosTest, ErrorsReturnEarly) {
  auto half = [](int n) -> absl::StatusOr<int> {
    if (n % 2 != 0) return absl::InvalidArgumentError("odd");
    return n / 2;
  };
  auto quarter = [&](int n) -> absl::StatusOr<int> {
    ASSIGN_OR_RETURN(const int once, half(n));
    ASSIGN_OR_RETURN(const int twice, half(once));
    return twice;
  };
  EXPECT_THAT(quarter(8), IsOkAndHolds(2));
  EXPECT_THAT(quarter(6), StatusIs(kCode, "odd"));
}

}  // namespace
}  // namespace graft
