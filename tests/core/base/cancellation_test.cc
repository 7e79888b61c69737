#include "core/base/cancellation.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace graft {
namespace {

TEST(CancellationTest, TellsEveryListenerOnce) {
  Cancellation cancellation;
  int told = 0;
  cancellation.OnCancel([&] { ++told; });
  cancellation.OnCancel([&] { ++told; });
  EXPECT_FALSE(cancellation.cancelled());
  cancellation.Cancel();
  cancellation.Cancel();
  EXPECT_TRUE(cancellation.cancelled());
  EXPECT_EQ(told, 2);
}

TEST(CancellationTest, TellsLateListenersAtOnce) {
  Cancellation cancellation;
  cancellation.Cancel();
  bool told = false;
  cancellation.OnCancel([&] { told = true; });
  EXPECT_TRUE(told);
}

TEST(CancellationTest, RemovedListenersHearNothing) {
  Cancellation cancellation;
  bool told = false;
  const int64_t listener = cancellation.OnCancel([&] { told = true; });
  cancellation.Remove(listener);
  cancellation.Cancel();
  EXPECT_FALSE(told);
}

TEST(CancellationTest, ListenersAndCancelFromManyThreads) {
  Cancellation cancellation;
  std::atomic<int> told = 0;
  std::thread adder([&] {
    for (int i = 0; i < 1000; ++i) cancellation.OnCancel([&] { ++told; });
  });
  std::thread canceller([&] { cancellation.Cancel(); });
  adder.join();
  canceller.join();
  EXPECT_EQ(told, 1000);
}

}  // namespace
}  // namespace graft
