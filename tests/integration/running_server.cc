#include "tests/integration/running_server.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/file.h"

namespace graft::testing {
namespace {

// The rest of the line that starts with `prefix`, or "".
std::string LineAfter(const std::string& text, const std::string& prefix) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    absl::string_view rest = line;
    if (absl::ConsumePrefix(&rest, prefix) && !lines.eof()) return std::string(rest);
  }
  return "";
}

}  // namespace

RunningServer::RunningServer(std::string data, std::vector<std::string> flags)
    : data_(std::move(data)), flags_(std::move(flags)) {}

bool RunningServer::Start() {
  if (!CreateFolders(data_).ok()) return false;
  std::vector<std::string> command = {
      ProgramPath("graft-server"), "--data-dir", data_, "--listen", address_, "--metrics-listen", metrics_address_,
      "--drain-seconds",           "0"};
  command.insert(command.end(), flags_.begin(), flags_.end());
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  server_ = Program::Start(command, ::testing::TempDir());
  while (server_ != nullptr && absl::Now() < deadline && !server_->Ended()) {
    const std::string log = server_->err();
    const std::string address = LineAfter(log, "listening on "), metrics = LineAfter(log, "metrics on ");
    if (!address.empty() && !metrics.empty()) {
      address_ = address;
      metrics_address_ = metrics;
      return true;
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  ADD_FAILURE() << "graft-server did not start: " << (server_ == nullptr ? "" : server_->err());
  return false;
}

void RunningServer::KillServer() {
  server_->Signal(SIGKILL);
  server_->Wait(absl::Seconds(10));
}

void RunningServer::KillWorkers() {
  for (const pid_t worker : ChildrenNamed(server_->pid(), "graft-worker")) kill(worker, SIGKILL);
}

Outcome RunningServer::Stop() {
  server_->Signal(SIGTERM);
  return server_->Wait(absl::Seconds(60));
}

std::vector<std::string> RunningServer::Command(const std::vector<std::string>& words) const {
  std::vector<std::string> command = {ProgramPath("graft"), "--server", address_};
  command.insert(command.end(), words.begin(), words.end());
  return command;
}

Outcome RunningServer::Graft(const std::vector<std::string>& words) const {
  return RunProgram(Command(words));
}

nlohmann::json RunningServer::GraftJson(const std::vector<std::string>& words) const {
  std::vector<std::string> all = {"-o", "json"};
  all.insert(all.end(), words.begin(), words.end());
  const Outcome outcome = Graft(all);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err << outcome.out;
  return nlohmann::json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
}

void MakeRandomWeights(const std::string& data, const std::string& backbone) {
  ASSERT_TRUE(CreateFolders(data).ok());
  const Outcome outcome =
      RunProgram({ProgramPath("graft-weights"), "random", "--data-dir", data, "--backbone", backbone, "--seed", "7"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
}

std::vector<nlohmann::json> JsonLines(const std::string& text) {
  std::vector<nlohmann::json> objects;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    objects.push_back(nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false));
    EXPECT_TRUE(objects.back().is_object()) << line;
  }
  return objects;
}

}  // namespace graft::testing
