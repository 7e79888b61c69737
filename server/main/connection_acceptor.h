// Listens in gRPC's place and hands it the connections: gRPC 1.51 takes as many as come, and once the process is out of
// file descriptors it never accepts again.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/config/listen_address.h"
#include "server/main/connection_limits.h"

namespace graft {

// Thread-safe.
class ConnectionAcceptor {
 public:
  // Listens on every address that the host's name has (0.0.0.0 is all of IPv4, :: IPv6 as well); a unix socket's path
  // is removed again in the end. Unavailable if one cannot be bound, another server's included, or by
  // ReserveDescriptors.
  static absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> Listen(const config::ListenAddress& address,
                                                                    const ConnectionLimits& limits);
  // Neither accepts any more nor ends connections.
  ~ConnectionAcceptor();

  // Calls `serve`, which owns the connection from then on, for each one, on a thread of its own. Beyond the most they
  // are closed at once. Called once.
  using Serve = std::function<void(int listener, int connection)>;
  void Start(Serve serve);
  // `serve` is not running afterwards, and connecting is refused.
  void StopAccepting() ABSL_LOCKS_EXCLUDED(mutex_);
  // Those still open.
  void EndConnections() ABSL_LOCKS_EXCLUDED(mutex_);

  int port() const { return port_; }  // 0 for a unix socket
  int open() ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t refused() const { return refused_; }

 private:
  struct Connection {
    int fd;
    ino_t inode;  // other than that, the number has a new owner
  };

  explicit ConnectionAcceptor(const ConnectionLimits& limits) : limits_(limits) {}
  absl::Status ListenAt(const config::ListenAddress& address);
  absl::Status ListenAtPath(const std::string& path);
  void Run();
  void AcceptOne(int listener) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Register(int connection) ABSL_LOCKS_EXCLUDED(mutex_);
  void Refuse(int connection);
  bool MayWarn();  // an attack must not fill the log
  void ForgetClosed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ConnectionLimits limits_;
  int port_ = 0;
  std::string path_;            // of a unix socket
  std::vector<int> listeners_;  // the thread's while it runs
  int stop_ = -1;               // an event that ends the thread
  Serve serve_;
  std::atomic<int64_t> refused_ = 0;
  absl::Time next_warning_ = absl::InfinitePast();  // the thread's

  absl::Mutex mutex_;
  std::vector<Connection> connections_ ABSL_GUARDED_BY(mutex_);  // with some that have been closed since
  std::thread thread_;
};

// Lets this process have as many files open as `connections` and all else needs. Unavailable, saying what to raise, if
// it may not.
absl::Status ReserveDescriptors(int connections);

}  // namespace graft
