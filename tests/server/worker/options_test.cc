#include "server/worker/options.h"

#include "tests/testing/status_matchers.h"

namespace graft::worker {
namespace {

using ::graft::testing::StatusIs;
using ::testing::HasSubstr;

absl::StatusOr<Options> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "graft-worker");
  return ParseOptions(static_cast<int>(arguments.size()), arguments.data());
}

TEST(WorkerOptionsTest, ReadsWhatTheSupervisorPasses) {
  ASSERT_OK_AND_ASSIGN(const Options options, Parse({"--data-dir", "/d", "--device", "cuda:1", "--threads", "3"}));
  EXPECT_EQ(options.data.database(), "/d/graft.db");
  EXPECT_EQ(options.device, "cuda:1");
  EXPECT_EQ(options.threads, 3);
}

TEST(WorkerOptionsTest, HasDefaultsForAllButTheDataFolder) {
  ASSERT_OK_AND_ASSIGN(const Options options, Parse({"--data-dir", "/d"}));
  EXPECT_EQ(options.device, "cpu");
  EXPECT_GE(options.threads, 1);
  EXPECT_THAT(Parse({}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--data-dir")));
}

TEST(WorkerOptionsTest, NamesTheFlagThatIsWrong) {
  EXPECT_THAT(Parse({"--data-dir", "/d", "--threads", "0"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--threads")));
  EXPECT_THAT(Parse({"--data-dir", "/d", "--gpu"}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--gpu")));
}

}  // namespace
}  // namespace graft::worker
