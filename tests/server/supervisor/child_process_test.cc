#include "server/supervisor/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "absl/time/clock.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::supervisor {
namespace {

using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;

absl::StatusOr<std::unique_ptr<ChildProcess>> Shell(const std::string& script) {
  return ChildProcess::Start({"/bin/sh", "-c", script});
}

// Runs `script` after "trap '' TERM"; returns once the trap is set.
absl::StatusOr<std::unique_ptr<ChildProcess>> DeafShell(const std::string& script) {
  testing::TemporaryFolder folder;
  auto child = Shell("trap '' TERM; touch " + (folder / "ready") + "; " + script);
  const absl::Time limit = absl::Now() + absl::Seconds(30);
  while (!std::filesystem::exists(folder / "ready") && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(1));
  return child;
}

TEST(ChildProcessTest, TellsHowItEnded) {
  ASSERT_OK_AND_ASSIGN(auto child, Shell("exit 3"));
  ASSERT_TRUE(child->WaitForEnd(absl::Seconds(30), -1));
  EXPECT_EQ(child->ending(), "exit code 3");
  ASSERT_OK_AND_ASSIGN(auto killed, Shell("kill -9 $$"));
  ASSERT_TRUE(killed->WaitForEnd(absl::Seconds(30), -1));
  EXPECT_EQ(killed->ending(), "signal 9 (Killed)");
}

TEST(ChildProcessTest, ProgramThatIsNotThereIsNotFound) {
  EXPECT_THAT(ChildProcess::Start({"/no/such/program"}),
              StatusIs(absl::StatusCode::kNotFound, ::testing::HasSubstr("/no/such/program")));
}

TEST(ChildProcessTest, StopEndsItsInput) {
  ASSERT_OK_AND_ASSIGN(auto child, DeafShell("cat; exit 5"));
  child->Stop(absl::Seconds(30));
  EXPECT_EQ(child->ending(), "exit code 5");
}

TEST(ChildProcessTest, StopKillsWhatDoesNotEnd) {
  ASSERT_OK_AND_ASSIGN(auto child, DeafShell("while true; do sleep 0.2; done"));
  child->Stop(absl::Milliseconds(50));
  EXPECT_EQ(child->ending(), "signal 9 (Killed)");
}

TEST(ChildProcessTest, InheritsNoDescriptorButTheFirstThree) {
  const int open_without_cloexec = open("/dev/null", O_RDONLY);
  ASSERT_GT(open_without_cloexec, 2);
  ASSERT_OK_AND_ASSIGN(auto child, Shell("for fd in /proc/$$/fd/*; do n=${fd##*/}; "
                                         "[ $n -gt 2 ] && [ -e $fd ] && [ $n -ne 10 ] && exit 1; done; exit 0"));
  close(open_without_cloexec);
  ASSERT_TRUE(child->WaitForEnd(absl::Seconds(30), -1));
  EXPECT_EQ(child->ending(), "exit code 0");
}

TEST(ChildProcessTest, HasNoSignalBlocked) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  auto child = Shell("exec grep -q 'SigBlk:.*0000000000000000' /proc/self/status");
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_OK(child);
  ASSERT_TRUE((*child)->WaitForEnd(absl::Seconds(30), -1));
  EXPECT_EQ((*child)->ending(), "exit code 0");
}

}  // namespace
}  // namespace graft::supervisor
