#include "client/api/channel.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "graft/v1/system.grpc.pb.h"

namespace graft::client {
namespace {

// Takes one connection, greets as HTTP/2 wants it, and then neither answers nor hangs up.
class SilentServer {
 public:
  SilentServer() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_, generic, length), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    EXPECT_EQ(getsockname(listener_, generic, &length), 0);
    port_ = ntohs(address.sin_port);
    greeting_ = std::thread([this] {
      connection_ = accept(listener_, nullptr, nullptr);
      constexpr char kEmptySettings[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
      EXPECT_EQ(send(connection_, kEmptySettings, sizeof(kEmptySettings), MSG_NOSIGNAL), 9);
    });
  }
  ~SilentServer() {
    greeting_.join();
    close(connection_);
    close(listener_);
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  const int listener_;
  int port_ = 0, connection_ = -1;
  std::thread greeting_;
};

TEST(ChannelTest, VanishedServerEndsItsCalls) {
  SilentServer server;
  const auto system = v1::SystemService::NewStub(
      Connect(server.address(), {.ask_after = absl::Milliseconds(100), .patience = absl::Milliseconds(100)}));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  v1::ServerInfo response;
  EXPECT_EQ(system->GetServerInfo(&context, {}, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
}

// A token crosses no network in plaintext, whatever the host's name begins with.
TEST(ChannelTest, TokensStayOnThisMachineWithoutTls) {
  const Security security{.token = "graft_secret"};
  for (const char* address : {"127.0.0.1:50051", "localhost:50051", "[::1]:50051", "unix:/run/graft.sock"}) {
    EXPECT_TRUE(Connect(address, security).ok()) << address;
  }
  for (const char* address : {"127.0.0.1.evil.example:50051", "localhost.evil.example:50051", "10.0.0.1:50051",
                              "[::2]:50051", "127.0.0.1@evil.example:50051", "dns:///127.0.0.1.evil.example:1"}) {
    EXPECT_EQ(Connect(address, security).status().code(), absl::StatusCode::kInvalidArgument) << address;
  }
}

}  // namespace
}  // namespace graft::client
