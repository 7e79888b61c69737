#include "server/worker/lifeline.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <iterator>

#include "core/base/thread_pool.h"

namespace graft::worker {
namespace {

// Reads what is there; what a supervisor writes means nothing, only the end does.
bool AtEnd(int descriptor) {
  char ignored[256];
  const ssize_t got = read(descriptor, ignored, sizeof(ignored));
  return got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Lifeline>> Lifeline::Start(absl::Notification* stop) {
  signal(SIGPIPE, SIG_IGN);  // standard error may go to a supervisor that is gone
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return absl::ErrnoToStatus(errno, "block signals");
  const int signals = signalfd(-1, &set, SFD_CLOEXEC);
  if (signals < 0) return absl::ErrnoToStatus(errno, "signalfd");
  const int ended = eventfd(0, EFD_CLOEXEC);
  if (ended < 0) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<Lifeline>(new Lifeline(signals, ended, stop));
}

Lifeline::Lifeline(int signals, int ended, absl::Notification* stop)
    : signals_(signals), ended_(ended), stop_(stop), thread_(NamedThread("lifeline", [this] { Watch(); })) {}

Lifeline::~Lifeline() {
  const uint64_t one = 1;
  if (write(ended_, &one, sizeof(one)) != sizeof(one)) _exit(1);  // the thread could not be joined
  thread_.join();
  close(signals_);
  close(ended_);
}

void Lifeline::Watch() {
  pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {signals_, POLLIN, 0}, {ended_, POLLIN, 0}};
  while (true) {
    if (poll(watched, std::size(watched), -1) < 0) continue;  // EINTR
    if (watched[2].revents != 0) return;
    if (watched[0].revents != 0 && AtEnd(STDIN_FILENO)) _exit(0);
    if (watched[1].revents != 0) {
      signalfd_siginfo signal_info;
      if (read(signals_, &signal_info, sizeof(signal_info)) > 0 && !stop_->HasBeenNotified()) stop_->Notify();
    }
  }
}

}  // namespace graft::worker
