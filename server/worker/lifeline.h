// What ends a worker: its supervisor's death, or a signal.
#pragma once

#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"

namespace graft::worker {

// A thread that watches standard input and signals.
//
//   standard input at its end  the supervisor is gone: the process ends at once, with 0. No old worker lives beside a
//                              new server, and all state is durable, so the job goes on from its last step.
//   SIGTERM, SIGINT            `stop` is notified: the worker ends at its next step; its job stays for another claim.
class Lifeline {
 public:
  // Call before other threads start: they inherit that these signals wait here.
  static absl::StatusOr<std::unique_ptr<Lifeline>> Start(absl::Notification* stop);
  ~Lifeline();
  Lifeline(const Lifeline&) = delete;
  Lifeline& operator=(const Lifeline&) = delete;

 private:
  Lifeline(int signals, int ended, absl::Notification* stop);
  void Watch();

  const int signals_;  // a signalfd
  const int ended_;    // an eventfd: the destructor's word to the thread
  absl::Notification* const stop_;
  std::thread thread_;
};

}  // namespace graft::worker
