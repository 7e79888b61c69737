// Keeps one worker process per training device alive.
//
// Before a worker starts, the device's lock file must be free: that proves that no older worker (an orphan of a killed
// server, on its way out because its input has ended) still lives. Then its leases are released at once, so that a
// job goes on where it stopped without waiting for the lease to expire.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace graft::supervisor {

struct SupervisorOptions {
  std::string program;  // path of graft-worker
  std::string data_dir;
  std::vector<std::string> devices;
  int threads_per_worker = 1;
  bool metrics = false;  // workers expose theirs
  // Called when the workers of a device are proven dead (jobs::JobStore::ReleaseLeases). `stopped`: they were asked to
  // end, even if killed in the end, which is no fault of their jobs.
  std::function<absl::Status(absl::string_view device, bool stopped)> release_leases;
  // A worker that dies is started again after 100 ms, doubling to 5 s; 10 s of life start over. Backbones load in
  // about a second, so a crash loop costs little and a single crash is repaired well within 5 seconds.
  absl::Duration first_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(5);
  absl::Duration healthy_after = absl::Seconds(10);
  // A worker that was asked to end finishes its step and writes its checkpoint.
  absl::Duration stop_patience = absl::Seconds(10);
};

enum class WorkerState { kRunning, kRestarting };

// Thread-safe; one thread per device.
class WorkerSupervisor {
 public:
  static std::unique_ptr<WorkerSupervisor> Start(SupervisorOptions options);
  // Stops the workers, all at the same time, and joins.
  virtual ~WorkerSupervisor() = default;

  // kRestarting also for a device that has no worker.
  virtual WorkerState StateOf(absl::string_view device) const = 0;
  // How often its worker ended by itself or could not be started; 0 for a device that has no worker.
  virtual int64_t FailuresOf(absl::string_view device) const = 0;
};

}  // namespace graft::supervisor
