// How long something takes.
#pragma once

#include <chrono>

namespace graft {

// Runs from where it is made, on the monotonic clock. Immutable, so thread-safe.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

}  // namespace graft
