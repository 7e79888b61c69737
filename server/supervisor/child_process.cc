#include "server/supervisor/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

extern char** environ;

namespace graft::supervisor {
namespace {

std::string DescribeEnding(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return absl::StrCat("exit code ", info.si_status);
  return absl::StrCat("signal ", info.si_status, " (", strsignal(info.si_status), ")");
}

// posix_spawn's two argument objects.
class SpawnSetup {
 public:
  explicit SpawnSetup(int input) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSetup() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  int Spawn(pid_t* id, char** arguments) {
    return posix_spawn(id, arguments[0], &actions_, &attributes_, arguments, environ);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const std::vector<std::string>& arguments) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe for a worker");
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  pid_t id = 0;
  const int error = SpawnSetup(ends[0]).Spawn(&id, raw.data());
  close(ends[0]);
  if (error != 0) {
    close(ends[1]);
    return absl::ErrnoToStatus(error, absl::StrCat("start ", arguments[0]));
  }
  // The child is not reaped yet, so its id cannot have been reused. glibc 2.36 has pidfd_open, but Debian's header
  // for it clashes with <signal.h>. The descriptor is close-on-exec by itself.
  const int process_descriptor = static_cast<int>(syscall(SYS_pidfd_open, id, 0));
  return std::unique_ptr<ChildProcess>(new ChildProcess(id, process_descriptor, ends[1]));
}

ChildProcess::~ChildProcess() {
  Stop(absl::ZeroDuration());
  if (process_descriptor_ >= 0) close(process_descriptor_);
}

void ChildProcess::CloseInput() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

bool ChildProcess::WaitForEnd(absl::Duration timeout, int interrupt) {
  if (ended_) return true;
  pollfd watched[2] = {{process_descriptor_, POLLIN, 0}, {interrupt, POLLIN, 0}};
  const auto milliseconds = std::clamp<int64_t>(absl::ToInt64Milliseconds(timeout), 0, 1'000'000'000);
  poll(watched, 2, static_cast<int>(milliseconds));
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return false;
  ended_ = true;
  ending_ = DescribeEnding(info);
  return true;
}

void ChildProcess::Stop(absl::Duration patience) {
  CloseInput();
  if (ended_) return;
  if (patience > absl::ZeroDuration()) kill(id_, SIGTERM);
  const absl::Time limit = absl::Now() + patience;
  while (!WaitForEnd(limit - absl::Now(), -1)) {
    if (absl::Now() < limit) continue;
    kill(id_, SIGKILL);
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED);
    ended_ = true;
    ending_ = DescribeEnding(info);
  }
}

}  // namespace graft::supervisor
