#include "core/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"

namespace graft {
namespace {

TEST(ThreadPoolTest, RunsEverythingBeforeItIsGone) {
  std::atomic<int> done = 0;
  {
    ThreadPool pool("test", 3, 2);
    for (int i = 0; i < 100; ++i) pool.Run([&] { ++done; });
  }
  EXPECT_EQ(done, 100);
}

TEST(ThreadPoolTest, RefusesWhenFull) {
  absl::Notification started, release;
  ThreadPool pool("test", 1, 1);
  pool.Run([&] {
    started.Notify();
    release.WaitForNotification();
  });
  started.WaitForNotification();
  EXPECT_TRUE(pool.TryRun([] {}));
  EXPECT_FALSE(pool.TryRun([] {}));
  release.Notify();
}

}  // namespace
}  // namespace graft
