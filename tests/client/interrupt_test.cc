#include "client/terminal/interrupt.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "absl/synchronization/notification.h"

namespace graft::terminal {
namespace {

TEST(InterruptHandlerTest, FirstInterruptCallsBack) {
  absl::Notification called;
  {
    const InterruptHandler handler([&] { called.Notify(); });
    raise(SIGINT);
    called.WaitForNotification();
  }
  EXPECT_TRUE(called.HasBeenNotified());
}

TEST(InterruptHandlerTest, EndsWithoutAnInterrupt) {
  struct sigaction before {
  }, after{};
  sigaction(SIGINT, nullptr, &before);
  {
    const InterruptHandler handler([] { FAIL() << "nobody pressed Ctrl-C"; });
  }
  sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(InterruptHandlerDeathTest, SecondInterruptEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const InterruptHandler handler([] {});
        raise(SIGINT);
        raise(SIGINT);
      },
      ::testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace graft::terminal
