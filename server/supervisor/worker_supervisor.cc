#include "server/supervisor/worker_supervisor.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/data_folder.h"
#include "core/base/file.h"
#include "core/base/thread_pool.h"
#include "server/supervisor/child_process.h"

namespace graft::supervisor {
namespace {

// Readable for ever once Raise was called: a flag that poll() can wait for.
class StopSignal {
 public:
  StopSignal() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~StopSignal() { close(descriptor_); }
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void Raise() { eventfd_write(descriptor_, 1); }
  // Waits at most `timeout`; true when raised.
  bool WaitFor(absl::Duration timeout) const {
    pollfd watched = {descriptor_, POLLIN, 0};
    return poll(&watched, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) > 0;
  }
  int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

// The life of one device's workers.
class DeviceLoop {
 public:
  DeviceLoop(const SupervisorOptions& options, std::string device, const StopSignal& stop)
      : options_(options), device_(std::move(device)), stop_(stop) {
    thread_ = NamedThread("sup-" + device_, [this] { Run(); });
  }
  void Join() { thread_.join(); }

  const std::string& device() const { return device_; }
  WorkerState state() const { return state_.load(); }
  int64_t failures() const { return failures_.load(); }

 private:
  void Run() {
    absl::Duration backoff = options_.first_backoff;
    while (WaitUntilLockIsFree()) {
      const absl::Time started = absl::Now();
      if (RunWorkerOnce()) return;
      state_ = WorkerState::kRestarting;
      ++failures_;
      if (absl::Now() - started >= options_.healthy_after) backoff = options_.first_backoff;
      if (stop_.WaitFor(backoff)) return;
      backoff = std::min(backoff * 2, options_.max_backoff);
    }
  }

  // False when the server stops. An older worker sees its input's end within milliseconds; if one hangs, waiting is
  // right: two workers on one device would fight for its memory.
  bool WaitUntilLockIsFree() {
    const std::string lock = DataFolder{options_.data_dir}.worker_lock(device_);
    const absl::Time start = absl::Now();
    absl::Time next_warning = start + absl::Seconds(5);
    while (FileLock::IsHeld(lock)) {
      if (absl::Now() >= next_warning) {
        spdlog::warn("worker device={} waits: a former worker still holds {}; if it hangs, kill it", device_, lock);
        next_warning += absl::Seconds(30);
      }
      if (stop_.WaitFor(absl::Milliseconds(20))) return false;
    }
    return !stop_.WaitFor(absl::ZeroDuration());
  }

  // True when the server stops, false when the worker ended by itself or could not be started.
  bool RunWorkerOnce() {
    ReleaseLeases(/*stopped=*/false);
    auto worker = ChildProcess::Start(Command());
    if (!worker.ok()) {
      spdlog::error("worker device={} cannot be started: {}", device_, worker.status().ToString());
      return false;
    }
    state_ = WorkerState::kRunning;
    spdlog::info("worker device={} pid={} started", device_, (*worker)->id());
    while (!(*worker)->WaitForEnd(absl::Hours(1), stop_.descriptor())) {
      if (!stop_.WaitFor(absl::ZeroDuration())) continue;
      (*worker)->Stop(options_.stop_patience);
      ReleaseLeases(/*stopped=*/true);
      spdlog::info("worker device={} pid={} stopped: {}", device_, (*worker)->id(), (*worker)->ending());
      return true;
    }
    spdlog::error("worker device={} pid={} ended by itself: {}", device_, (*worker)->id(), (*worker)->ending());
    return false;
  }

  std::vector<std::string> Command() const {
    std::vector<std::string> command = {options_.program,
                                        "--data-dir",
                                        options_.data_dir,
                                        "--device",
                                        device_,
                                        "--threads",
                                        absl::StrCat(options_.threads_per_worker)};
    if (options_.metrics) command.emplace_back("--metrics");
    return command;
  }

  void ReleaseLeases(bool stopped) {
    const absl::Status released = options_.release_leases(device_, stopped);
    if (!released.ok()) spdlog::error("worker device={} leases not released: {}", device_, released.ToString());
  }

  const SupervisorOptions& options_;
  const std::string device_;
  const StopSignal& stop_;
  std::atomic<WorkerState> state_ = WorkerState::kRestarting;
  std::atomic<int64_t> failures_ = 0;
  std::thread thread_;
};

class ProcessSupervisor final : public WorkerSupervisor {
 public:
  explicit ProcessSupervisor(SupervisorOptions options) : options_(std::move(options)) {
    for (const std::string& device : options_.devices) {
      loops_.push_back(std::make_unique<DeviceLoop>(options_, device, stop_));
    }
  }
  ~ProcessSupervisor() override {
    stop_.Raise();
    for (const auto& loop : loops_) loop->Join();
  }

  WorkerState StateOf(absl::string_view device) const override {
    const DeviceLoop* const loop = LoopOf(device);
    return loop == nullptr ? WorkerState::kRestarting : loop->state();
  }
  int64_t FailuresOf(absl::string_view device) const override {
    const DeviceLoop* const loop = LoopOf(device);
    return loop == nullptr ? 0 : loop->failures();
  }

 private:
  const DeviceLoop* LoopOf(absl::string_view device) const {
    for (const auto& loop : loops_) {
      if (loop->device() == device) return loop.get();
    }
    return nullptr;
  }

  const SupervisorOptions options_;
  StopSignal stop_;
  std::vector<std::unique_ptr<DeviceLoop>> loops_;
};

}  // namespace

std::unique_ptr<WorkerSupervisor> WorkerSupervisor::Start(SupervisorOptions options) {
  return std::make_unique<ProcessSupervisor>(std::move(options));
}

}  // namespace graft::supervisor
