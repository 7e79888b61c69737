// A child that lives no longer than we do: its standard input is a pipe whose other end only we hold, so it sees end
// of file when we go, however we go.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace graft::supervisor {

// One thread at a time.
class ChildProcess {
 public:
  // posix_spawn, never fork: the caller runs gRPC threads. The child inherits standard error (also as its standard
  // output) and no other descriptor, has no signal blocked, and is its own process group, so that Ctrl-C in a
  // terminal reaches us alone.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& arguments);
  // Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t id() const { return id_; }

  // True when it has ended; false when `timeout` passed or the descriptor `interrupt` (-1: none) became readable.
  bool WaitForEnd(absl::Duration timeout, int interrupt);
  // After WaitForEnd said true: "exit code 3", "signal 9 (Killed)".
  const std::string& ending() const { return ending_; }

  // Closes its input and asks it to end (SIGTERM); after `patience` it is killed.
  void Stop(absl::Duration patience);

 private:
  ChildProcess(pid_t id, int process_descriptor, int input)
      : id_(id), process_descriptor_(process_descriptor), input_(input) {}
  void CloseInput();

  const pid_t id_;
  const int process_descriptor_;  // pidfd: readable when it has ended
  int input_;                     // the write end of its standard input; nothing is ever written
  bool ended_ = false;
  std::string ending_;
};

}  // namespace graft::supervisor
