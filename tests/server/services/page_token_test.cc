#include "server/services/page_token.h"

#include "tests/testing/status_matchers.h"

namespace graft::services {
namespace {

using ::graft::testing::IsOkAndHolds;
using ::graft::testing::StatusIs;
using ::testing::HasSubstr;

TEST(PageTokenTest, GivesTheKeyBack) {
  EXPECT_THAT(DecodePageToken("jobs", EncodePageToken("jobs", "k1")), IsOkAndHolds("k1"));
  EXPECT_THAT(DecodePageToken("jobs", ""), IsOkAndHolds(""));
}

TEST(PageTokenTest, TokenOfAnotherListIsRefused) {
  const auto refused = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_token"));
  EXPECT_THAT(DecodePageToken("models", EncodePageToken("jobs", "k1")), refused);
  EXPECT_THAT(DecodePageToken("jobs", "k1"), refused);
  EXPECT_THAT(DecodePageToken("jobs", "not base64 at all!"), refused);
  EXPECT_THAT(DecodePageToken("jobs", EncodePageToken("jobs", "")), refused);
}

TEST(PageSizeTest, HasADefaultAndARange) {
  EXPECT_THAT(PageSize(0), IsOkAndHolds(100));
  EXPECT_THAT(PageSize(1000), IsOkAndHolds(1000));
  EXPECT_THAT(PageSize(-1), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_size")));
  EXPECT_THAT(PageSize(1001), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_size")));
}

}  // namespace
}  // namespace graft::services
