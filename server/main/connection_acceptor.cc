#include "server/main/connection_acceptor.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"

namespace graft {
namespace {

constexpr int kBacklog = 1024;
constexpr rlim_t kOtherDescriptors = 1024;  // database, blobs being read, workers, libraries
constexpr absl::Duration kWarningPeriod = absl::Seconds(10);
constexpr int kWithoutDescriptorsMs = 100;

int PortOf(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof(name);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
  if (name.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&name)->sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&name)->sin_port);
}

int NewSocket(int family) {
  return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void Set(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof(value));
}

// A server that was killed leaves its socket's file behind; one that runs answers there.
bool IsLeftBehind(const sockaddr_un& name) {
  struct stat info {};
  if (lstat(name.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const int fd = NewSocket(AF_UNIX);
  const absl::Cleanup close_it = [fd] { close(fd); };
  return connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0 && errno == ECONNREFUSED;
}

absl::Status CannotListen(const config::ListenAddress& address, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat("--listen ", address.ToString(), " cannot be bound: ", why,
                                             "; does another server listen there? Stop it or choose another ",
                                             address.path.empty() ? "port" : "path"));
}

ino_t InodeOf(int fd) {
  struct stat info {};
  return fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode) ? info.st_ino : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> ConnectionAcceptor::Listen(const config::ListenAddress& address,
                                                                               const ConnectionLimits& limits) {
  RETURN_IF_ERROR(ReserveDescriptors(limits.most));
  std::unique_ptr<ConnectionAcceptor> acceptor(new ConnectionAcceptor(limits));
  acceptor->stop_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (acceptor->stop_ < 0) return absl::UnavailableError(absl::StrCat("eventfd: ", std::strerror(errno)));
  RETURN_IF_ERROR(address.path.empty() ? acceptor->ListenAt(address) : acceptor->ListenAtPath(address.path));
  return acceptor;
}

absl::Status ConnectionAcceptor::ListenAt(const config::ListenAddress& address) {
  const addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const int result = getaddrinfo(address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &found);
  if (result != 0) return CannotListen(address, gai_strerror(result));
  const absl::Cleanup free_them = [found] { freeaddrinfo(found); };
  port_ = address.port;
  std::string error = "no address";
  std::set<std::string> seen;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    // A hosts file may say the same twice.
    const std::string text(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen);
    if (!seen.insert(text).second) continue;
    const int fd = NewSocket(one->ai_family);
    if (fd < 0) continue;  // this machine has no IPv6, for example
    // After a restart, while connections of the server before linger; two that listen exclude each other all the same.
    Set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    // Its connections have these from it. What is sent and not acknowledged for so long ends the connection; a ping
    // would wait behind it.
    Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    Set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(absl::ToInt64Milliseconds(limits_.keepalive_timeout)));
    auto* const name = one->ai_addr;
    if (port_ != 0 && name->sa_family == AF_INET) reinterpret_cast<sockaddr_in*>(name)->sin_port = htons(port_);
    if (port_ != 0 && name->sa_family == AF_INET6) reinterpret_cast<sockaddr_in6*>(name)->sin6_port = htons(port_);
    if (bind(fd, name, one->ai_addrlen) == 0 && listen(fd, kBacklog) == 0) {
      listeners_.push_back(fd);
      port_ = PortOf(fd);
      continue;
    }
    const bool absent = errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT;
    error = std::strerror(errno);
    close(fd);
    if (!absent) return CannotListen(address, error);
  }
  return listeners_.empty() ? CannotListen(address, error) : absl::OkStatus();
}

absl::Status ConnectionAcceptor::ListenAtPath(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof(name.sun_path) - 1);
  if (IsLeftBehind(name)) unlink(path.c_str());
  const int fd = NewSocket(AF_UNIX);
  // Nobody connects before it listens, so nobody does with other rights.
  if (bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0 ||
      chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || listen(fd, kBacklog) != 0) {
    const std::string error = std::strerror(errno);
    close(fd);
    return CannotListen({.host = "", .port = 0, .path = path}, error);
  }
  listeners_.push_back(fd);
  path_ = path;
  return absl::OkStatus();
}

ConnectionAcceptor::~ConnectionAcceptor() {
  StopAccepting();
  if (stop_ >= 0) close(stop_);
}

void ConnectionAcceptor::Start(Serve serve) {
  serve_ = std::move(serve);
  thread_ = NamedThread("accept", [this] { Run(); });
}

void ConnectionAcceptor::StopAccepting() {
  eventfd_write(stop_, 1);
  if (thread_.joinable()) thread_.join();
  if (!path_.empty() && !listeners_.empty()) unlink(path_.c_str());
  for (const int listener : listeners_) close(listener);
  listeners_.clear();
}

void ConnectionAcceptor::EndConnections() {
  absl::MutexLock lock(&mutex_);
  ForgetClosed();
  for (const Connection& connection : connections_) shutdown(connection.fd, SHUT_RDWR);
}

int ConnectionAcceptor::open() {
  absl::MutexLock lock(&mutex_);
  ForgetClosed();
  return static_cast<int>(connections_.size());
}

void ConnectionAcceptor::Run() {
  std::vector<pollfd> waiting = {{.fd = stop_, .events = POLLIN, .revents = 0}};
  for (const int listener : listeners_) waiting.push_back({.fd = listener, .events = POLLIN, .revents = 0});
  while ((waiting[0].revents & POLLIN) == 0) {
    for (size_t i = 1; i < waiting.size(); ++i) {
      if (waiting[i].revents != 0) AcceptOne(waiting[i].fd);
    }
    poll(waiting.data(), waiting.size(), -1);
  }
}

void ConnectionAcceptor::AcceptOne(int listener) {
  const int connection = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (connection >= 0) {
    if (Register(connection)) {
      serve_(listener, connection);
    } else {
      Refuse(connection);
    }
    return;
  }
  if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return;  // the client has gone
  // It would be ready again at once. Whatever is short may be given back meanwhile.
  if (const int error = errno; MayWarn()) spdlog::error("no connection can be accepted: {}", std::strerror(error));
  pollfd stop = {.fd = stop_, .events = POLLIN, .revents = 0};
  poll(&stop, 1, kWithoutDescriptorsMs);
}

bool ConnectionAcceptor::Register(int connection) {
  absl::MutexLock lock(&mutex_);
  if (static_cast<int>(connections_.size()) >= limits_.most) ForgetClosed();
  if (static_cast<int>(connections_.size()) >= limits_.most) return false;
  connections_.push_back({connection, InodeOf(connection)});
  return true;
}

void ConnectionAcceptor::Refuse(int connection) {
  close(connection);
  ++refused_;
  if (!MayWarn()) return;
  spdlog::warn("a connection was refused: {} are open, the most; {} refused so far", limits_.most, refused_.load());
}

bool ConnectionAcceptor::MayWarn() {
  const absl::Time now = absl::Now();
  if (now < next_warning_) return false;
  next_warning_ = now + kWarningPeriod;
  return true;
}

// gRPC closes its connections without a word.
void ConnectionAcceptor::ForgetClosed() {
  std::erase_if(connections_, [](const Connection& connection) { return InodeOf(connection.fd) != connection.inode; });
}

absl::Status ReserveDescriptors(int connections) {
  const rlim_t needed = static_cast<rlim_t>(connections) + kOtherDescriptors;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return absl::OkStatus();
  if (limit.rlim_cur >= needed) return absl::OkStatus();
  if (limit.rlim_max >= needed) {
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat("this process may have ", limit.rlim_max, " files open, and ", connections,
                                             " connections need ", needed,
                                             ": raise the limit (ulimit -n, LimitNOFILE= of systemd)"));
}

}  // namespace graft
