#include "server/supervisor/worker_supervisor.h"

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "core/base/data_folder.h"
#include "core/base/file.h"
#include "server/supervisor/child_process.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::supervisor {
namespace {

using ::graft::testing::IsOk;

constexpr absl::Duration kPatience = absl::Seconds(30);

class WorkerSupervisorTest : public ::testing::Test {
 protected:
  std::unique_ptr<WorkerSupervisor> Start() {
    SupervisorOptions options;
    options.program = SUPERVISED_PROGRAM;
    options.data_dir = folder_.path();
    options.devices = {"cpu"};
    options.first_backoff = absl::Milliseconds(1);
    options.release_leases = [this](absl::string_view device, bool stopped) {
      absl::MutexLock lock(&mutex_);
      EXPECT_EQ(device, "cpu");
      EXPECT_FALSE(FileLock::IsHeld(LockPath())) << "the lease of a living worker";
      ++releases_;
      stopped_ |= stopped;
      return absl::OkStatus();
    };
    return WorkerSupervisor::Start(std::move(options));
  }

  std::string LockPath() const { return DataFolder{folder_.path()}.worker_lock("cpu"); }

  // The id of the process that holds the lock, other than `former`; nullopt if there is none within the patience.
  std::optional<pid_t> WaitForWorker(pid_t former = 0) {
    const absl::Time limit = absl::Now() + kPatience;
    while (absl::Now() < limit) {
      int id = 0;
      const auto content = ReadFile(LockPath(), 100);
      if (FileLock::IsHeld(LockPath()) && content.ok() && absl::SimpleAtoi(*content, &id) && id != former) return id;
      absl::SleepFor(absl::Milliseconds(2));
    }
    return std::nullopt;
  }

  bool WaitForReleases(int count) {
    const auto reached = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return releases_ >= count; };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&reached), kPatience);
  }

  testing::TemporaryFolder folder_;
  absl::Mutex mutex_;
  int releases_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;  // some release was of a worker that was asked to end
};

TEST_F(WorkerSupervisorTest, KilledWorkerIsReplacedAndItsLeasesReleased) {
  auto supervisor = Start();
  const auto first = WaitForWorker();
  ASSERT_TRUE(first.has_value());
  ASSERT_EQ(kill(*first, SIGKILL), 0);
  const auto second = WaitForWorker(*first);
  ASSERT_TRUE(second.has_value());
  EXPECT_NE(*first, *second);
  EXPECT_EQ(supervisor->StateOf("cpu"), WorkerState::kRunning);
  EXPECT_EQ(supervisor->StateOf("cuda:0"), WorkerState::kRestarting);
  EXPECT_EQ(supervisor->FailuresOf("cpu"), 1);
  EXPECT_EQ(supervisor->FailuresOf("cuda:0"), 0);
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(releases_, 2);
  EXPECT_FALSE(stopped_);
}

TEST_F(WorkerSupervisorTest, WorkersEndWithTheSupervisor) {
  auto supervisor = Start();
  const auto worker = WaitForWorker();
  ASSERT_TRUE(worker.has_value());
  supervisor.reset();
  EXPECT_FALSE(FileLock::IsHeld(LockPath()));
  EXPECT_EQ(kill(*worker, 0), -1) << "still there";
  absl::MutexLock lock(&mutex_);
  EXPECT_TRUE(stopped_);
}

TEST_F(WorkerSupervisorTest, CrashingWorkerIsTriedAgainUntilItLives) {
  std::ofstream(folder_ / "crash") << "now";
  auto supervisor = Start();
  ASSERT_TRUE(WaitForReleases(4));
  EXPECT_FALSE(FileLock::IsHeld(LockPath()));
  std::filesystem::remove(folder_ / "crash");
  EXPECT_TRUE(WaitForWorker().has_value());
}

TEST_F(WorkerSupervisorTest, WaitsForTheOrphanOfAKilledServer) {
  ASSERT_OK_AND_ASSIGN(auto orphan, ChildProcess::Start({SUPERVISED_PROGRAM, "--data-dir", folder_.path(), "--device",
                                                         "cpu", "--threads", "1"}));
  ASSERT_EQ(WaitForWorker(), orphan->id());
  auto supervisor = Start();
  {
    // release_leases itself checks that it never comes while the orphan lives.
    absl::MutexLock lock(&mutex_);
    EXPECT_EQ(releases_, 0);
  }
  EXPECT_EQ(supervisor->StateOf("cpu"), WorkerState::kRestarting);
  orphan->Stop(kPatience);
  const auto worker = WaitForWorker(orphan->id());
  ASSERT_TRUE(worker.has_value());
}

}  // namespace
}  // namespace graft::supervisor
