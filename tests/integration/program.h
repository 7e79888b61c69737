// Runs our programs as child processes.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace graft::testing {

// build/<preset>/bin/NAME
std::string ProgramPath(const std::string& name);

// GRAFT_TEST_VENV, else .venv-tests in the checkout: what deploy/install-deps.sh --tests makes.
std::string TestVenv();

struct Outcome {
  int exit_code = -1;  // 128 + signal when killed by one
  std::string out, err;
};

// A running child; stdout and stderr go to files in `folder`. Killed with its destruction.
class Program {
 public:
  static std::unique_ptr<Program> Start(const std::vector<std::string>& command, const std::string& folder);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // Waits for the end; SIGKILL after `limit`.
  Outcome Wait(absl::Duration limit);
  bool Ended();
  std::string out() const;
  std::string err() const;

 private:
  Program(pid_t pid, std::string out_path, std::string err_path);

  const pid_t pid_;
  const std::string out_path_, err_path_;
  int exit_code_ = -1;
  bool ended_ = false;
};

// Starts, waits (a minute by default), answers.
Outcome RunProgram(const std::vector<std::string>& command, absl::Duration limit = absl::Minutes(2));

// Runs a script of tests/ with the interpreter of TestVenv(): RunPython({"integration/clients.py", "--flag"}).
// Without that venv exit code 127 and what to do in `err`: a test that needs it fails, it is not skipped.
Outcome RunPython(const std::vector<std::string>& words, absl::Duration limit = absl::Minutes(2));

// Process ids of the living children of `parent` whose program is called `name`.
std::vector<pid_t> ChildrenNamed(pid_t parent, const std::string& name);

}  // namespace graft::testing
