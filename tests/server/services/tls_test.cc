#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sys/stat.h>

#include <filesystem>

#include "core/access/access_store.h"
#include "core/base/file.h"
#include "tests/server/services/server_test.h"
#include "tests/testing/eventually.h"
#include "tests/testing/made_certificates.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using ::testing::HasSubstr;

class TlsTest : public ServerTest {
 protected:
  void SetUp() override {
    authority_ = MakeAuthority(folder_.path(), "authority");
    server_files_ = MakeAuthority(folder_.path(), "server");
    tls_ = {server_files_.certificate, server_files_.key, authority_.certificate};
    access_ = {.asks = true, .rates = {}};
    ServerTest::SetUp();
  }
  static std::string Pem(const std::string& path) { return ReadFile(path, 1 << 20).value(); }

  // GetServerInfo over a connection of its own, trusting `ca_file`, as `client` (if it has files).
  absl::Status Ask(const std::string& ca_file, const MadeCertificate& client = {}, const std::string& token = "") {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = Pem(ca_file);
    if (!client.key.empty()) {
      options.pem_cert_chain = Pem(client.certificate);
      options.pem_private_key = Pem(client.key);
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub = v1::SystemService::NewStub(
        grpc::CreateCustomChannel(server_->listening().ToString(), grpc::SslCredentials(options), arguments));
    auto context = Context();
    if (!token.empty()) context->AddMetadata("authorization", "Bearer " + token);
    v1::ServerInfo info;
    return FromGrpcStatus(stub->GetServerInfo(context.get(), {}, &info));
  }
  absl::Status AskUntilKnown(const MadeCertificate& client, const std::string& token) {
    absl::Status status;
    Eventually([&] {
      status = Ask(server_files_.certificate, client, token);
      return status.code() != absl::StatusCode::kUnauthenticated;
    });
    return status;
  }

  MadeCertificate authority_, server_files_;
};

TEST_F(TlsTest, NoPlaintext) {
  v1::ServerInfo info;
  EXPECT_THAT(Call(&v1::SystemService::Stub::GetServerInfo, *system_, {}, &info),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(Ask(authority_.certificate), StatusIs(absl::StatusCode::kUnavailable)) << "not whom the client trusts";
  EXPECT_THAT(Ask(server_files_.certificate), StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(TlsTest, TokensAndCertificatesAreWhoCalls) {
  access::AccessStore store(database_.get());
  ASSERT_OK_AND_ASSIGN(const std::string token, store.CreateToken({.name = "service"}, absl::Hours(1), "me"));
  EXPECT_OK(AskUntilKnown({}, token));
  const MadeCertificate robot = MakeClient(folder_.path(), "robot", authority_);
  EXPECT_THAT(Ask(server_files_.certificate, robot), StatusIs(absl::StatusCode::kUnauthenticated)) << "not said who";
  ASSERT_OK(store.AddCertificate({.name = "robot"}, "spiffe://graft/robot", "me"));
  EXPECT_OK(AskUntilKnown(robot, ""));
  const MadeCertificate named = MakeClient(folder_.path(), "named", authority_);
  ASSERT_OK(store.AddCertificate({.name = "named"}, "named", "me"));
  EXPECT_OK(AskUntilKnown(named, "")) << "by its common name";
  // Of another authority, with the same names in it.
  std::filesystem::create_directory(folder_.path() + "/forged");
  const MadeCertificate forger = MakeAuthority(folder_.path() + "/forged", "authority");
  const MadeCertificate forged = MakeClient(folder_.path() + "/forged", "robot", forger);
  EXPECT_THAT(Ask(server_files_.certificate, forged), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(TlsTest, NewFilesAreUsedAndBadOnesAreNot) {
  const std::string first = folder_.path() + "/first.pem", second = folder_.path() + "/second.pem";
  std::filesystem::copy_file(server_files_.certificate, first);
  const auto connects = [&](const std::string& ca_file) {
    return Ask(ca_file).code() == absl::StatusCode::kUnauthenticated;  // TLS stands; only the token is missing
  };
  ASSERT_TRUE(connects(first));
  // A key that is not the certificate's: what was there before goes on.
  const MadeCertificate other = MakeAuthority(folder_.path(), "other");
  std::filesystem::copy_file(other.key, server_files_.key, std::filesystem::copy_options::overwrite_existing);
  absl::SleepFor(absl::Milliseconds(1100));
  EXPECT_TRUE(connects(first));
  // Now the certificate follows.
  std::filesystem::copy_file(other.certificate, server_files_.certificate,
                             std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(other.certificate, second);
  EXPECT_TRUE(Eventually([&] { return connects(second); }));
  EXPECT_FALSE(connects(first));
}

TEST_F(TlsTest, AServerWithoutUsableFilesDoesNotStart) {
  ServerSettings settings;
  settings.listen = {"127.0.0.1", 0};
  settings.tls = {server_files_.certificate, authority_.key, ""};
  EXPECT_THAT(Server::Start(Parts(), settings), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--tls-key")));
}

class UnixSocketTest : public ServerTest {};

TEST_F(UnixSocketTest, AServerListensOnASocketThatItsUserAloneMayUse) {
  ServerSettings settings;
  settings.listen.path = folder_.path() + "/graft.sock";
  settings.data_dir = data_.root;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Server> server, Server::Start(Parts(), settings));
  EXPECT_EQ(server->listening().ToString(), "unix:" + settings.listen.path);
  const auto stub = v1::SystemService::NewStub(
      grpc::CreateChannel(server->listening().ToString(), grpc::InsecureChannelCredentials()));
  v1::ServerInfo info;
  EXPECT_OK(Call(&v1::SystemService::Stub::GetServerInfo, *stub, {}, &info));
  struct stat socket {};
  ASSERT_EQ(stat(settings.listen.path.c_str(), &socket), 0);
  EXPECT_EQ(socket.st_mode & (S_IRWXG | S_IRWXO), 0U);
}

}  // namespace
}  // namespace graft::testing
