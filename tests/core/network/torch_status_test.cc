#include "core/network/torch_status.h"

#include <torch/torch.h>

#include "tests/testing/status_matchers.h"

namespace graft::network {
namespace {

using ::graft::testing::IsOkAndHolds;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::StatusCode kInternal = absl::StatusCode::kInternal;

TEST(TorchStatusTest, BacktraceIsDropped) {
  const absl::Status status = StatusFromThrow(kInternal, "add", [] { torch::ones({2}).add_(torch::ones({3})); });
  EXPECT_THAT(status, StatusIs(kInternal, AllOf(HasSubstr("add: "), Not(HasSubstr("frame #")))));
}

TEST(TorchStatusTest, OutOfMemoryIsResourceExhausted) {
  constexpr int64_t kMoreThanThereIs = int64_t{1} << 50;
  EXPECT_THAT(StatusFromThrow(kInternal, "allocate", [] { return torch::empty({kMoreThanThereIs}); }).status(),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("allocate")));
  EXPECT_THAT(StatusFromThrow(kInternal, "allocate", [] { C10_THROW_ERROR(OutOfMemoryError, "CUDA out of memory"); }),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("allocate")));
}

TEST(TorchStatusTest, ResultsPassThrough) {
  EXPECT_THAT(StatusFromThrow(kInternal, "count", [] { return 3; }), IsOkAndHolds(3));
  EXPECT_OK(StatusFromThrow(kInternal, "nothing", [] { return absl::OkStatus(); }));
}

}  // namespace
}  // namespace graft::network
