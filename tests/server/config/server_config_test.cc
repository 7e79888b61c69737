#include "server/config/server_config.h"

#include <fstream>
#include <map>

#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::config {
namespace {

using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

absl::StatusOr<ParsedConfig> Parse(const std::vector<std::string>& arguments, const Environment& environment = {}) {
  return ParseServerConfig(arguments, environment, "graft-server 1.2.3");
}

absl::StatusOr<ServerConfig> ParseConfig(const std::vector<std::string>& arguments,
                                         const Environment& environment = {}) {
  absl::StatusOr<ParsedConfig> parsed = Parse(arguments, environment);
  if (!parsed.ok()) return parsed.status();
  return parsed->config.value();
}

TEST(ServerConfigTest, DefaultsAreLoopback) {
  ASSERT_OK_AND_ASSIGN(const ServerConfig config, ParseConfig({"--data-dir", "d"}));
  EXPECT_EQ(config.data_dir, "d");
  EXPECT_EQ(config.listen.ToString(), "127.0.0.1:50051");
  EXPECT_EQ(config.metrics_listen->ToString(), "127.0.0.1:9464");
  EXPECT_THAT(config.devices, ElementsAre("auto"));
  EXPECT_EQ(config.max_image_bytes, 10 << 20);
  EXPECT_OK(CheckExposure(config, "1.51.1"));
}

TEST(ServerConfigTest, FlagsBeatEnvironmentBeatsFileBeatsDefaults) {
  testing::TemporaryFolder folder;
  const std::string file = folder / "graft.toml";
  std::ofstream(file) << "listen = \"127.0.0.1:1\"\nlog-level = \"debug\"\ninference-threads = 3\nworker-cores = 9\n";
  ASSERT_OK_AND_ASSIGN(
      const ServerConfig config,
      ParseConfig({"--config", file, "--listen", "127.0.0.1:3"},
                  {{"GRAFT_LISTEN", "127.0.0.1:2"}, {"GRAFT_INFERENCE_THREADS", "5"}, {"GRAFT_DATA_DIR", "from-env"}}));
  EXPECT_EQ(config.data_dir, "from-env");
  EXPECT_EQ(config.listen.port, 3);
  EXPECT_EQ(config.inference_threads, 5);
  EXPECT_EQ(config.worker_cores, 9);
  EXPECT_EQ(config.log_level, "debug");
}

TEST(ServerConfigTest, EnvironmentMayNameTheFile) {
  testing::TemporaryFolder folder;
  std::ofstream(folder / "graft.toml") << "data-dir = \"from-file\"\nbehind-http2-proxy = true\n";
  ASSERT_OK_AND_ASSIGN(const ServerConfig config, ParseConfig({}, {{"GRAFT_CONFIG", folder / "graft.toml"}}));
  EXPECT_EQ(config.data_dir, "from-file");
  EXPECT_TRUE(config.behind_http2_proxy);
}

TEST(ServerConfigTest, ErrorsNameTheSetting) {
  EXPECT_THAT(ParseConfig({}), StatusIs(kInvalid, HasSubstr("--data-dir")));
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--listen", "50051"}), StatusIs(kInvalid, HasSubstr("--listen")));
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--metrics-listen", "h:70000"}),
              StatusIs(kInvalid, HasSubstr("--metrics-listen")));
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--devices", "tpu"}),
              StatusIs(kInvalid, AllOf(HasSubstr("--devices"), HasSubstr("tpu"))));
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--devices", "cpu,cpu"}), StatusIs(kInvalid, HasSubstr("twice")));
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--log-level", "loud"}), StatusIs(kInvalid, HasSubstr("--log-level")));
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--worker-cores", "-1"}),
              StatusIs(kInvalid, HasSubstr("--worker-cores")));
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--no-such-flag"}), StatusIs(kInvalid, HasSubstr("--no-such-flag")));
}

TEST(ServerConfigTest, UnknownNamesAreErrorsThatSuggestTheRightOne) {
  testing::TemporaryFolder folder;
  std::ofstream(folder / "graft.toml")
      << "data-dir = \"d\"\nlisten-adress = \"127.0.0.1:1\"\nmetric-listen = \"none\"\n";
  EXPECT_THAT(ParseConfig({"--config", folder / "graft.toml"}),
              StatusIs(kInvalid, AllOf(HasSubstr("graft.toml"), HasSubstr("listen-adress"), Not(HasSubstr("d\"")))));
  std::ofstream(folder / "graft.toml") << "data-dir = \"d\"\nmetric-listen = \"none\"\n";
  EXPECT_THAT(ParseConfig({"--config", folder / "graft.toml"}),
              StatusIs(kInvalid, HasSubstr("did you mean metrics-listen?")));
  EXPECT_THAT(ParseConfig({"--data-dir", "d"}, {{"GRAFT_LOGLEVEL", "debug"}}),
              StatusIs(kInvalid, AllOf(HasSubstr("GRAFT_LOGLEVEL"), HasSubstr("did you mean GRAFT_LOG_LEVEL?"))));
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--worker-core=3"}),
              StatusIs(kInvalid, HasSubstr("--worker-core is not a setting; did you mean --worker-cores?")));
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--zzzzzzzzzz"}), StatusIs(kInvalid, Not(HasSubstr("did you mean"))));
}

TEST(ServerConfigTest, ValuesOfUnknownVariablesStayOutOfTheError) {
  EXPECT_THAT(ParseConfig({"--data-dir", "d"}, {{"GRAFT_LISTENS", "hush"}}),
              StatusIs(kInvalid, AllOf(HasSubstr("GRAFT_LISTENS"), Not(HasSubstr("hush")))));
}

TEST(ServerConfigTest, VariablesOfOthersArePassedOver) {
  EXPECT_OK(ParseConfig({"--data-dir", "d"}, {{"GRAFT_SERVER", "h:1"},
                                              {"GRAFT_TOKEN_FILE", "t"},
                                              {"GRAFT_SERVICE_HOST", "10.0.0.1"},
                                              {"GRAFT_PORT", "tcp://10.0.0.1:50051"},
                                              {"GRAFT_PORT_50051_TCP_ADDR", "10.0.0.1"},
                                              {"GRAFT_PUBLISH", "0.0.0.0"},
                                              {"GRAFT_PROMETHEUS_URL", "http://p"},
                                              {"GRAFT_ADDRESS", "h:1"},
                                              {"GRAFT_CA", "f"},
                                              {"GRAFT_ASSETS", "d"},
                                              {"GRAFT_VENV", "d"},
                                              {"GRAFT_LISTEN", ""}}));
}

TEST(ServerConfigTest, FilesThatCannotBeReadAreErrors) {
  testing::TemporaryFolder folder;
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--config", folder / "absent.toml"}),
              StatusIs(kInvalid, HasSubstr("absent.toml")));
  std::ofstream(folder / "graft.toml") << "[server]\nlisten = \"127.0.0.1:1\"\n";
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--config", folder / "graft.toml"}),
              StatusIs(kInvalid, HasSubstr("[server]: settings stand in no section")));
}

TEST(ServerConfigTest, ErrorsTellWhereTheValueStands) {
  testing::TemporaryFolder folder;
  std::ofstream(folder / "graft.toml") << "worker-cores = -1\n";
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--config", folder / "graft.toml"}),
              StatusIs(kInvalid, AllOf(HasSubstr("graft.toml"), HasSubstr("--worker-cores"))));
  EXPECT_THAT(ParseConfig({"--data-dir", "d"}, {{"GRAFT_LOG_LEVEL", "loud"}}),
              StatusIs(kInvalid, AllOf(HasSubstr("GRAFT_LOG_LEVEL"), HasSubstr("loud"))));
}

TEST(ServerConfigTest, CheckShowsEverySettingWithItsSource) {
  testing::TemporaryFolder folder;
  const std::string file = folder / "graft.toml";
  std::ofstream(file) << "data-dir = \"/var/lib/graft\"\ninference-threads = 3\ndevices = [\"cpu\", \"cuda:0\"]\n";
  ASSERT_OK_AND_ASSIGN(const ParsedConfig parsed, Parse({"--check-config", "--config", file, "--behind-http2-proxy"},
                                                        {{"GRAFT_LOG_LEVEL", "warn"}}));
  EXPECT_TRUE(parsed.check_only);
  EXPECT_THAT(parsed.config->devices, ElementsAre("cpu", "cuda:0"));
  for (const std::string& line :
       {"data-dir = \"/var/lib/graft\"  # file " + file, "inference-threads = 3  # file " + file,
        std::string("log-level = \"warn\"  # environment GRAFT_LOG_LEVEL"),
        std::string("behind-http2-proxy = true  # flag --behind-http2-proxy"),
        std::string("listen = \"127.0.0.1:50051\"  # default")}) {
    EXPECT_THAT(parsed.text, HasSubstr(line + "\n"));
  }
  // What it prints is a file that makes the same settings.
  std::ofstream(file) << parsed.text;
  ASSERT_OK_AND_ASSIGN(const ServerConfig again, ParseConfig({"--config", file}));
  EXPECT_EQ(again.inference_threads, 3);
  EXPECT_EQ(again.log_level, "warn");
  EXPECT_TRUE(again.behind_http2_proxy);
  EXPECT_THAT(again.devices, ElementsAre("cpu", "cuda:0"));
}

TEST(ServerConfigTest, MetricsCanBeLeftOut) {
  ASSERT_OK_AND_ASSIGN(const ServerConfig config, ParseConfig({"--data-dir", "d", "--metrics-listen", "none"}));
  EXPECT_FALSE(config.metrics_listen.has_value());
  EXPECT_OK(CheckExposure(config, "1.51.1"));
}

TEST(ServerConfigTest, HelpAndVersionAreTexts) {
  ASSERT_OK_AND_ASSIGN(const ParsedConfig version, Parse({"--version"}));
  EXPECT_FALSE(version.config.has_value());
  EXPECT_EQ(version.text, "graft-server 1.2.3\n");
  ASSERT_OK_AND_ASSIGN(const ParsedConfig help, Parse({"--help"}));
  EXPECT_THAT(help.text, HasSubstr("--behind-http2-proxy"));
}

TEST(ServerConfigTest, DevicesAreAList) {
  ASSERT_OK_AND_ASSIGN(const ServerConfig some, ParseConfig({"--data-dir", "d", "--devices", "cpu, cuda:1"}));
  EXPECT_THAT(some.devices, ElementsAre("cpu", "cuda:1"));
  ASSERT_OK_AND_ASSIGN(const ServerConfig none, ParseConfig({"--data-dir", "d", "--devices", "none"}));
  EXPECT_THAT(none.devices, ElementsAre());
}

TEST(CheckExposureTest, ListeningBeyondLoopbackNeedsTlsAndAProxy) {
  ASSERT_OK_AND_ASSIGN(ServerConfig config, ParseConfig({"--data-dir", "d", "--listen", "0.0.0.0:50051"}));
  for (const bool proxy : {false, true}) {
    config.behind_http2_proxy = proxy;
    EXPECT_THAT(CheckExposure(config, "1.51.1"),
                StatusIs(kInvalid, AllOf(HasSubstr("--listen"), HasSubstr("--tls-certificate"), HasSubstr("--tls-key"),
                                         HasSubstr("graft-server token create"))));
  }
  config.tls_certificate = "server.pem";
  config.tls_key = "server.key";
  config.behind_http2_proxy = false;
  EXPECT_THAT(CheckExposure(config, "1.51.1"),
              StatusIs(kInvalid, AllOf(HasSubstr("--listen"), HasSubstr("rapid reset"), HasSubstr("1.51.1"),
                                       HasSubstr("--behind-http2-proxy"))));
  EXPECT_OK(CheckExposure(config, "1.62.0"));
  config.behind_http2_proxy = true;
  EXPECT_OK(CheckExposure(config, "1.51.1"));
}

TEST(CheckExposureTest, WhoeverOthersReachAsksWhoCalls) {
  const auto asks = [](std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--data-dir", "d"});
    const auto config = ParseConfig(flags);
    EXPECT_OK(config);
    return config.ok() && AsksWhoCalls(*config);
  };
  EXPECT_FALSE(asks({}));
  EXPECT_FALSE(asks({"--listen", "unix:/run/graft.sock"}));
  EXPECT_TRUE(asks({"--require-auth"}));
  EXPECT_TRUE(asks({"--behind-http2-proxy"})) << "the proxy's clients look local";
  EXPECT_TRUE(asks({"--listen", "0.0.0.0:1"}));
}

TEST(ServerConfigTest, TlsFilesBelongTogether) {
  const auto parse = [](std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--data-dir", "d"});
    return ParseConfig(flags).status();
  };
  EXPECT_THAT(parse({"--tls-certificate", "c"}), StatusIs(kInvalid, HasSubstr("--tls-key")));
  EXPECT_THAT(parse({"--tls-key", "k"}), StatusIs(kInvalid, HasSubstr("--tls-certificate")));
  EXPECT_THAT(parse({"--tls-client-ca", "a"}), StatusIs(kInvalid, HasSubstr("--tls-client-ca")));
  EXPECT_OK(parse({"--tls-certificate", "c", "--tls-key", "k", "--tls-client-ca", "a"}));
}

TEST(ServerConfigTest, NewSettingsHaveTheirEdges) {
  const auto parse = [](const std::string& flag, const std::string& value) {
    return ParseConfig({"--data-dir", "d", flag, value}).status();
  };
  EXPECT_OK(parse("--drain-seconds", "0"));
  EXPECT_OK(parse("--drain-seconds", "15"));
  EXPECT_THAT(parse("--drain-seconds", "16"), StatusIs(kInvalid, HasSubstr("--drain-seconds")));
  EXPECT_THAT(parse("--drain-seconds", "-1"), StatusIs(kInvalid));
  EXPECT_OK(parse("--max-calls-per-second", "0.1"));
  EXPECT_THAT(parse("--max-calls-per-second", "0"), StatusIs(kInvalid, HasSubstr("--max-calls-per-second")));
}

TEST(ListenAddressTest, KnowsUnixSockets) {
  ASSERT_OK_AND_ASSIGN(const ListenAddress address, ParseListenAddress("--listen", "unix:/run/graft.sock"));
  EXPECT_TRUE(address.IsLocal());
  EXPECT_EQ(address.ToString(), "unix:/run/graft.sock");
  EXPECT_EQ(address.WithPort(7).ToString(), "unix:/run/graft.sock");
  EXPECT_OK(ParseListenAddress("--listen", "unix:/" + std::string(106, 'x')));
  for (const std::string& text :
       {std::string("unix:"), std::string("unix:relative"), "unix:/" + std::string(107, 'x')}) {
    EXPECT_THAT(ParseListenAddress("--listen", text), StatusIs(kInvalid, HasSubstr("--listen"))) << text;
  }
  EXPECT_THAT(ParseConfig({"--data-dir", "d", "--metrics-listen", "unix:/run/m.sock"}),
              StatusIs(kInvalid, HasSubstr("--metrics-listen")));
}

TEST(CheckExposureTest, MetricsFollowTheSameRule) {
  ASSERT_OK_AND_ASSIGN(ServerConfig config, ParseConfig({"--data-dir", "d", "--metrics-listen", "[::]:9464"}));
  EXPECT_THAT(CheckExposure(config, "1.51.1"), StatusIs(kInvalid, HasSubstr("--metrics-listen")));
  config.behind_http2_proxy = true;
  EXPECT_OK(CheckExposure(config, "1.51.1"));
}

TEST(ListenAddressTest, KnowsLoopback) {
  for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"}) {
    ASSERT_OK_AND_ASSIGN(const ListenAddress address, ParseListenAddress("--listen", text));
    EXPECT_TRUE(address.IsLocal()) << text;
    EXPECT_EQ(address.ToString(), text);
  }
  for (const char* text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1", "127.example.org:1"}) {
    ASSERT_OK_AND_ASSIGN(const ListenAddress address, ParseListenAddress("--listen", text));
    EXPECT_FALSE(address.IsLocal()) << text;
  }
  for (const char* text : {"", ":1", "host", "host:", "host:x", "host:-1", "host:65536", "::1:1", "[::1:1"}) {
    EXPECT_THAT(ParseListenAddress("--listen", text), StatusIs(kInvalid, HasSubstr("--listen"))) << text;
  }
}

}  // namespace
}  // namespace graft::config
