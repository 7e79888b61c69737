#include "core/base/periodic_thread.h"

#include <utility>

#include "core/base/thread_pool.h"

namespace graft {

PeriodicThread::PeriodicThread(const std::string& name, absl::Duration period, std::function<void()> body)
    : thread_(NamedThread(name, [this, period, body = std::move(body)] {
        do {
          body();
        } while (!stop_.WaitForNotificationWithTimeout(period));
      })) {}

PeriodicThread::~PeriodicThread() {
  stop_.Notify();
  thread_.join();
}

}  // namespace graft
