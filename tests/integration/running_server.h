// A real graft-server on a data folder, and the real command line client pointed at it.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/integration/program.h"

namespace graft::testing {

class RunningServer {
 public:
  // Starts on `data`; on a free port, or again on the port of the last start. `flags` are added.
  explicit RunningServer(std::string data, std::vector<std::string> flags = {});

  // False, with the log in the failure, when it does not listen within half a minute.
  bool Start();
  void KillServer();   // SIGKILL
  void KillWorkers();  // SIGKILL
  Outcome Stop();      // SIGTERM, and its exit code

  const std::string& address() const { return address_; }
  const std::string& metrics_address() const { return metrics_address_; }
  pid_t pid() const { return server_->pid(); }
  std::string log() const { return server_->err(); }

  // `graft --server ... WORDS`
  std::vector<std::string> Command(const std::vector<std::string>& words) const;
  Outcome Graft(const std::vector<std::string>& words) const;
  // The same with -o json; the one object on stdout. A test failure when the exit code is not 0.
  nlohmann::json GraftJson(const std::vector<std::string>& words) const;

 private:
  const std::string data_;
  const std::vector<std::string> flags_;
  std::string address_ = "127.0.0.1:0", metrics_address_ = "127.0.0.1:0";
  std::unique_ptr<Program> server_;
};

// Randomly initialised weights (seed 7) of `backbone` in the data folder.
void MakeRandomWeights(const std::string& data, const std::string& backbone);

// One object per line.
std::vector<nlohmann::json> JsonLines(const std::string& text);

}  // namespace graft::testing
