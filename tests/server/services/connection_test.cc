// Connections that do nothing, that have been there for long, that are too many, that ask too often.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/server/services/server_test.h"
#include "tests/testing/eventually.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

// HTTP/2 by hand (RFC 9113).
constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr uint8_t kData = 0, kHeaders = 1, kSettings = 4, kPing = 6;
constexpr uint8_t kEndStream = 1, kEndHeaders = 4;

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  const auto byte = [](size_t value) { return static_cast<char>(value & 0xff); };
  const size_t size = payload.size();
  const char head[] = {byte(size >> 16),   byte(size >> 8),    byte(size),        byte(type),  byte(flags),
                       byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)};
  return absl::StrCat(absl::string_view(head, sizeof(head)), payload);
}

// A header that neither end keeps in its table (RFC 7541, 6.2.2).
std::string Header(absl::string_view name, absl::string_view value) {
  const auto text = [](absl::string_view of) { return absl::StrCat(std::string(1, static_cast<char>(of.size())), of); };
  return absl::StrCat(absl::string_view("\0", 1), text(name), text(value));
}

// A client that does what it is told and no more: it answers no ping.
class RawClient {
 public:
  explicit RawClient(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const timeval patience = {.tv_sec = 30, .tv_usec = 0};
    EXPECT_EQ(setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
  }
  ~RawClient() { close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void Send(const std::string& bytes) {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  void Greet() { Send(absl::StrCat(kPreface, Frame(kSettings, 0, 0, ""))); }

  // Whether the server says anything before it hangs up: its settings come first.
  bool Hears() {
    char byte = 0;
    return recv(fd_, &byte, 1, MSG_PEEK) == 1;
  }
  // All until the server hangs up; without an end within half a minute, a failure.
  std::string Rest() {
    std::string all;
    char bytes[4096];
    ssize_t received = 0;
    while ((received = recv(fd_, bytes, sizeof(bytes), 0)) > 0) all.append(bytes, static_cast<size_t>(received));
    EXPECT_TRUE(received == 0 || errno == ECONNRESET) << "the server hangs up";
    return all;
  }
  // What has come so far.
  std::string Heard() {
    char bytes[4096];
    const ssize_t received = recv(fd_, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    return std::string(bytes, received > 0 ? static_cast<size_t>(received) : 0);
  }

 private:
  const int fd_;
};

class ConnectionTest : public ServerTest {
 protected:
  void SetUp() override {
    connection_ = {.handshake = absl::Seconds(1),
                   .idle = absl::Seconds(1),
                   .age = absl::Seconds(2),
                   .age_grace = absl::Seconds(1)};
    ServerTest::SetUp();
  }
};

TEST_F(ConnectionTest, SilentClientsAreLetGo) {
  RawClient(server_->listening().port).Rest();
}

TEST_F(ConnectionTest, LifetimesAreGrpcs) {
  v1::ServerInfo info;
  ASSERT_OK(Call(&v1::SystemService::Stub::GetServerInfo, *system_, {}, &info));
  EXPECT_TRUE(Eventually([&] { return channel_->GetState(false) == GRPC_CHANNEL_IDLE; })) << "idle";
  EXPECT_OK(Call(&v1::SystemService::Stub::GetServerInfo, *system_, {}, &info)) << "over another connection";
  // A watch outlives neither age nor grace, and its caller may go on elsewhere.
  ASSERT_OK_AND_ASSIGN(const v1::Job job, SubmitJob());
  v1::WatchJobRequest request;
  request.set_name(job.name());
  auto context = Context();
  const auto watch = training_->WatchJob(context.get(), request);
  v1::JobEvent event;
  while (watch->Read(&event)) continue;
  EXPECT_THAT(FromGrpcStatus(watch->Finish()), StatusIs(absl::StatusCode::kUnavailable));
}

class FewConnectionsTest : public ServerTest {
 protected:
  void SetUp() override {
    connection_.most = 3;
    ServerTest::SetUp();
  }
  // Whether one more is served now.
  bool OneMore() {
    clients_.push_back(std::make_unique<RawClient>(server_->listening().port));
    if (clients_.back()->Hears()) return true;
    clients_.pop_back();
    return false;
  }

  std::vector<std::unique_ptr<RawClient>> clients_;
};

TEST_F(FewConnectionsTest, FurtherOnesAreClosedAtOnce) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(OneMore()) << i;
  EXPECT_FALSE(OneMore());
  EXPECT_FALSE(OneMore());
  clients_.pop_back();
  EXPECT_TRUE(Eventually([&] { return OneMore(); })) << "one has gone";
  EXPECT_FALSE(OneMore());
  v1::ServerInfo info;
  EXPECT_THAT(Call(&v1::SystemService::Stub::GetServerInfo, *system_, {}, &info),
              StatusIs(absl::StatusCode::kUnavailable));
  clients_.clear();
  EXPECT_TRUE(Eventually([&] { return Call(&v1::SystemService::Stub::GetServerInfo, *system_, {}, &info).ok(); }));
}

class PingTest : public ServerTest {};

TEST_F(PingTest, ClientsThatPingTooOftenAreLetGo) {
  // The first ping is no strike, nor are the two after it.
  RawClient patient(server_->listening().port), pinging(server_->listening().port);
  const std::string ping = Frame(kPing, 0, 0, "12345678");
  for (RawClient* client : {&patient, &pinging}) {
    client->Greet();
    for (int i = 0; i < 1 + ConnectionLimits().ping_strikes; ++i) client->Send(ping);
  }
  pinging.Send(ping);
  EXPECT_THAT(pinging.Rest(), ::testing::HasSubstr("too_many_pings"));
  // The other is still there: the server acknowledges its greeting's settings, and these.
  patient.Send(Frame(kSettings, 0, 0, ""));
  const std::string acknowledged = Frame(kSettings, 1, 0, "");
  EXPECT_TRUE(Eventually([&] {
    const std::string heard = patient.Heard();
    const size_t first = heard.find(acknowledged);
    return first != std::string::npos && heard.find(acknowledged, first + acknowledged.size()) != std::string::npos;
  }));
  EXPECT_EQ(patient.Heard().find("too_many_pings"), std::string::npos);
}

class KeepaliveTest : public ServerTest {
 protected:
  void SetUp() override {
    connection_.keepalive = absl::Seconds(1);
    connection_.keepalive_timeout = absl::Seconds(1);
    ServerTest::SetUp();
  }
};

TEST_F(KeepaliveTest, ClientsThatHaveVanishedAreLetGo) {
  RawClient client(server_->listening().port);
  client.Greet();
  // A health watch, which stays open.
  const std::string headers =
      absl::StrCat(Header(":method", "POST"), Header(":scheme", "http"), Header(":authority", "localhost"),
                   Header(":path", "/grpc.health.v1.Health/Watch"), Header("te", "trailers"),
                   Header("content-type", "application/grpc"));
  client.Send(Frame(kHeaders, kEndHeaders, 1, headers));
  client.Send(Frame(kData, kEndStream, 1, std::string(5, '\0')));
  EXPECT_THAT(client.Rest(), ::testing::HasSubstr(Frame(kPing, 0, 0, "12345678").substr(0, 9))) << "it was asked first";
}

}  // namespace
}  // namespace graft::testing
