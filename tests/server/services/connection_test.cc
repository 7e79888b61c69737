// Connections that do nothing, or have been there for long.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "tests/server/services/server_test.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

class ConnectionTest : public ServerTest {
 protected:
  void SetUp() override {
    connection_ = {.handshake = absl::Seconds(1),
                   .idle = absl::Seconds(1),
                   .age = absl::Seconds(2),
                   .age_grace = absl::Seconds(1)};
    ServerTest::SetUp();
  }
  static bool Within(absl::Duration time, const std::function<bool()>& condition) {
    for (const absl::Time end = absl::Now() + time; absl::Now() < end; absl::SleepFor(absl::Milliseconds(20))) {
      if (condition()) return true;
    }
    return false;
  }
};

TEST_F(ConnectionTest, SilentClientsAreLetGo) {
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  const absl::Cleanup close_it = [client] { close(client); };
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(server_->listening().port));
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const timeval patience = {.tv_sec = 30, .tv_usec = 0};
  ASSERT_EQ(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
  char bytes[1024];
  ssize_t received = 1;
  while (received > 0) received = recv(client, bytes, sizeof(bytes), 0);  // the server's settings come first
  EXPECT_TRUE(received == 0 || errno == ECONNRESET) << "the server hangs up";
}

TEST_F(ConnectionTest, LifetimesAreGrpcs) {
  v1::ServerInfo info;
  ASSERT_OK(Call(&v1::SystemService::Stub::GetServerInfo, *system_, {}, &info));
  EXPECT_TRUE(Within(absl::Seconds(30), [&] { return channel_->GetState(false) == GRPC_CHANNEL_IDLE; })) << "idle";
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

}  // namespace
}  // namespace graft::testing
