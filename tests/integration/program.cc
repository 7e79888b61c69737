#include "tests/integration/program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/base/ids.h"
#include "tests/testing/temporary_folder.h"

namespace graft::testing {
namespace {

std::string Slurp(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

int ExitCode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::string ProgramPath(const std::string& name) {
  return absl::StrCat(GRAFT_BIN, "/", name);
}

std::string TestVenv() {
  const char* venv = getenv("GRAFT_TEST_VENV");
  return venv != nullptr && *venv != '\0' ? venv : absl::StrCat(GRAFT_SOURCE, "/.venv-tests");
}

Program::Program(pid_t pid, std::string out_path, std::string err_path)
    : pid_(pid), out_path_(std::move(out_path)), err_path_(std::move(err_path)) {}

std::unique_ptr<Program> Program::Start(const std::vector<std::string>& command, const std::string& folder) {
  const std::string id = NewId();
  const std::string out_path = absl::StrCat(folder, "/", id, ".out"), err_path = absl::StrCat(folder, "/", id, ".err");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return nullptr;
  return std::unique_ptr<Program>(new Program(pid, out_path, err_path));
}

Program::~Program() {
  if (!Ended()) {
    Signal(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
}

void Program::Signal(int signal) const {
  kill(pid_, signal);
}

bool Program::Ended() {
  int status = 0;
  if (!ended_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    ended_ = true;
    exit_code_ = ExitCode(status);
  }
  return ended_;
}

Outcome Program::Wait(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  while (!Ended() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  if (!Ended()) {
    Signal(SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
    ended_ = true;
    exit_code_ = ExitCode(status);
  }
  return {exit_code_, out(), err()};
}

std::string Program::out() const {
  return Slurp(out_path_);
}
std::string Program::err() const {
  return Slurp(err_path_);
}

Outcome RunProgram(const std::vector<std::string>& command, absl::Duration limit) {
  TemporaryFolder folder;
  auto program = Program::Start(command, folder.path());
  return program == nullptr ? Outcome{127, "", "cannot start " + command[0]} : program->Wait(limit);
}

Outcome RunPython(const std::vector<std::string>& words, absl::Duration limit) {
  const std::string python = TestVenv() + "/bin/python";
  if (!std::filesystem::exists(python)) {
    return {127, "", python + " is missing: run deploy/install-deps.sh --tests, or set GRAFT_TEST_VENV"};
  }
  std::vector<std::string> command = {python};
  command.insert(command.end(), words.begin(), words.end());
  command[1] = absl::StrCat(GRAFT_SOURCE, "/tests/", words[0]);
  return RunProgram(command, limit);
}

std::vector<pid_t> ChildrenNamed(pid_t parent, const std::string& name) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    // "pid (comm) state ppid ...": comm is cut to 15 characters.
    const std::string stat = Slurp(entry.path().string() + "/stat");
    const size_t end = stat.rfind(')');
    if (end == std::string::npos) continue;
    const std::vector<std::string> rest = absl::StrSplit(stat.substr(end + 2), ' ');
    const std::string comm = stat.substr(stat.find('(') + 1, end - stat.find('(') - 1);
    if (rest.size() > 1 && rest[0] != "Z" && rest[1] == std::to_string(parent) && comm == name.substr(0, 15)) {
      children.push_back(pid);
    }
  }
  return children;
}

}  // namespace graft::testing
