#include "client/terminal/interrupt.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "core/base/thread_pool.h"

namespace graft::terminal {
namespace {

// A signal handler can reach globals only; lock-free atomics are all that it may touch.
std::atomic<int> wake_descriptor{-1};
std::atomic<int> interrupts{0};

constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells report it
constexpr uint64_t kInterrupted = 1;
constexpr uint64_t kEnd = uint64_t{1} << 32;

void Wake(uint64_t reason) {
  const int saved_errno = errno;
  // The counter cannot overflow, so the write cannot fail.
  [[maybe_unused]] const ssize_t written = write(wake_descriptor.load(), &reason, sizeof(reason));
  errno = saved_errno;
}

void OnSignal(int) {
  if (interrupts.fetch_add(1) > 0) _exit(kExitInterrupted);
  Wake(kInterrupted);
}

}  // namespace

struct InterruptHandler::PreviousAction {
  struct sigaction action {};
};

InterruptHandler::InterruptHandler(std::function<void()> on_interrupt)
    : on_interrupt_(std::move(on_interrupt)), previous_(std::make_unique<PreviousAction>()) {
  interrupts = 0;
  wake_descriptor = eventfd(0, EFD_CLOEXEC);
  if (wake_descriptor < 0) std::abort();  // out of descriptors before the first one of our own: nothing works here
  thread_ = NamedThread("interrupt", [this] {
    uint64_t reasons = 0;
    while (reasons < kEnd) {
      if (read(wake_descriptor.load(), &reasons, sizeof(reasons)) != sizeof(reasons)) continue;
      if (reasons % kEnd != 0) on_interrupt_();
    }
  });
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &previous_->action);
}

InterruptHandler::~InterruptHandler() {
  sigaction(SIGINT, &previous_->action, nullptr);
  Wake(kEnd);
  thread_.join();
  close(wake_descriptor.exchange(-1));
}

}  // namespace graft::terminal
