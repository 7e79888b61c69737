#include "core/workflow/failure.h"

#include "core/base/errors.h"
#include "tests/testing/status_matchers.h"

namespace graft::workflow {
namespace {

using jobs::FailureType;

FailureType TypeOf(const absl::Status& status) {
  return FailureOf(status).type;
}

TEST(FailureTest, OwnerDecidesForWhatUsersCause) {
  EXPECT_EQ(TypeOf(BlameOn(FailureType::kData, absl::InvalidArgumentError("bad"))), FailureType::kData);
  EXPECT_EQ(TypeOf(BlameOn(FailureType::kData, absl::DataLossError("bad"))), FailureType::kData);
  EXPECT_EQ(TypeOf(BlameOn(FailureType::kConfig, absl::NotFoundError("bad"))), FailureType::kConfig);
  EXPECT_EQ(TypeOf(BlameOn(FailureType::kData, absl::InternalError("bad"))), FailureType::kInternal);
  EXPECT_EQ(TypeOf(BlameOn(FailureType::kDevice, absl::InternalError("bad"))), FailureType::kDevice);
  EXPECT_EQ(TypeOf(absl::InvalidArgumentError("nobody's")), FailureType::kInternal);
}

TEST(FailureTest, OutOfMemoryIsThatWhoeverOwnsIt) {
  EXPECT_EQ(TypeOf(BlameOn(FailureType::kData, absl::ResourceExhaustedError("full"))), FailureType::kOutOfMemory);
}

TEST(FailureTest, FirstNoteStaysThroughContext) {
  const absl::Status inner = BlameOn(FailureType::kConfig, absl::NotFoundError("no weights"));
  const absl::Status outer = BlameOn(FailureType::kData, WithContext(inner, "load engine"));
  EXPECT_EQ(TypeOf(outer), FailureType::kConfig);
  EXPECT_EQ(FailureOf(outer).message, "load engine: no weights");
}

TEST(FailureTest, OkStaysOk) {
  EXPECT_OK(BlameOn(FailureType::kData, absl::OkStatus()));
}

}  // namespace
}  // namespace graft::workflow
