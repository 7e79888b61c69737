#include "server/main/connection_acceptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/testing/eventually.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft {
namespace {

using testing::Eventually;
using ::testing::HasSubstr;
using testing::StatusIs;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

bool Connects(const Descriptor& client, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

TEST(ConnectionAcceptorTest, TwoDoNotShareAnAddress) {
  ASSERT_OK_AND_ASSIGN(const auto first, ConnectionAcceptor::Listen({"127.0.0.1", 0}, {}));
  EXPECT_THAT(ConnectionAcceptor::Listen({"127.0.0.1", first->port()}, {}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("--listen 127.0.0.1:")));
  EXPECT_THAT(ConnectionAcceptor::Listen({"no.such.host.invalid", 0}, {}), StatusIs(absl::StatusCode::kUnavailable));
}

// A client that reads nothing any more keeps what is sent to it, and the ping that would find it out, waiting.
TEST(ConnectionAcceptorTest, WhatIsNotAcknowledgedEndsTheConnection) {
  ASSERT_OK_AND_ASSIGN(const auto acceptor,
                       ConnectionAcceptor::Listen({"127.0.0.1", 0}, {.keepalive_timeout = absl::Seconds(7)}));
  std::atomic<int> milliseconds = -1;
  acceptor->Start([&](int, int connection) {
    int value = 0;
    socklen_t size = sizeof(value);
    getsockopt(connection, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size);
    close(connection);
    milliseconds = value;
  });
  const Descriptor client(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_TRUE(Connects(client, acceptor->port()));
  EXPECT_TRUE(Eventually([&] { return milliseconds == 7000; })) << milliseconds;
}

TEST(ConnectionAcceptorTest, AUnixSocketThatIsLeftBehindIsReplacedAndOneInUseIsNot) {
  const testing::TemporaryFolder folder;
  const config::ListenAddress address{.host = "", .port = 0, .path = folder.path() + "/s"};
  // What a killed server leaves.
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  address.path.copy(name.sun_path, sizeof(name.sun_path) - 1);
  {
    const Descriptor killed(socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(bind(killed.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(address.path));
  {
    ASSERT_OK_AND_ASSIGN(const auto acceptor, ConnectionAcceptor::Listen(address, {}));
    EXPECT_THAT(ConnectionAcceptor::Listen(address, {}), StatusIs(absl::StatusCode::kUnavailable));
  }
  EXPECT_FALSE(std::filesystem::exists(address.path));
  // A file that is no socket is somebody's.
  std::ofstream(address.path) << "precious";
  EXPECT_THAT(ConnectionAcceptor::Listen(address, {}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(std::filesystem::exists(address.path));
}

// gRPC's own listener would never accept again.
TEST(ConnectionAcceptorTest, GoesOnAfterTheProcessWasOutOfDescriptors) {
  ASSERT_OK_AND_ASSIGN(const auto acceptor, ConnectionAcceptor::Listen({"127.0.0.1", 0}, {}));
  std::atomic<int> served = 0;
  acceptor->Start([&](int, int connection) {
    close(connection);
    ++served;
  });
  const Descriptor first(socket(AF_INET, SOCK_STREAM, 0)), second(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_TRUE(Connects(first, acceptor->port()));
  ASSERT_TRUE(Eventually([&] { return served == 1; }));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const Descriptor highest(dup(0));  // no lower number is free than this and what is above it
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(highest.get()) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  ASSERT_TRUE(Connects(second, acceptor->port())) << "in the backlog";
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(served, 1);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(Eventually([&] { return served == 2; }));
}

TEST(ReserveDescriptorsTest, RaisesTheLimitOrSaysWhatToRaise) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_OK(ReserveDescriptors(16));
  EXPECT_THAT(ReserveDescriptors(1 << 30), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("LimitNOFILE")));
  rlimit low = before;
  low.rlim_cur = 100;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_OK(ReserveDescriptors(16));
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_GE(low.rlim_cur, 1040U);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace graft
