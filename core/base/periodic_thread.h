// Work that is done again and again.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace graft {

// Calls `body` at once and then `period` after each return, on a thread of that name, until it is destroyed, which
// waits for a call under way.
class PeriodicThread {
 public:
  PeriodicThread(const std::string& name, absl::Duration period, std::function<void()> body);
  ~PeriodicThread();
  PeriodicThread(const PeriodicThread&) = delete;
  PeriodicThread& operator=(const PeriodicThread&) = delete;

 private:
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace graft
