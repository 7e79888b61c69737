// Ctrl-C as an event.
#pragma once

#include <functional>
#include <memory>
#include <thread>

namespace graft::terminal {

// While it lives, the first SIGINT calls `on_interrupt`, on a thread of its own (so it may lock and print), and the
// second one ends the process at once with exit code 130. At most one object at a time.
class InterruptHandler {
 public:
  explicit InterruptHandler(std::function<void()> on_interrupt);
  // Puts the previous handling back; waits for a running `on_interrupt`.
  ~InterruptHandler();
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;

 private:
  struct PreviousAction;
  const std::function<void()> on_interrupt_;
  std::unique_ptr<PreviousAction> previous_;
  std::thread thread_;
};

}  // namespace graft::terminal
