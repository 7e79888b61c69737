// Latencies by kind of call and status code, within a measured window.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/bench/load/caller.h"

namespace graft::bench {

// "OK", "RESOURCE_EXHAUSTED", ...
std::string CodeName(grpc::StatusCode code);

// Thread-safe.
class Recorder {
 public:
  // What began in the window counts for latencies, what ended in it for throughput.
  Recorder(Clock::time_point begin, Clock::time_point end) : begin_(begin), end_(end) {}

  // `intended`: when the call should have started, so that a late generator or a full queue is not left out.
  // `expected`: the outcome is this kind of call's own; others are listed as unexpected, with their message.
  void Add(const std::string& kind, Clock::time_point intended, const Call& call, const std::string& outcome,
           bool expected);
  // A started call, for how far behind its own plan the generator was.
  void AddStartDelay(Clock::time_point intended, Clock::time_point started);

  nlohmann::json ToJson() const;

 private:
  struct Unexpected {
    int64_t count = 0;
    std::string message;
  };
  using Key = std::pair<std::string, std::string>;  // kind, outcome

  bool InWindow(Clock::time_point time) const { return begin_ <= time && time < end_; }

  const Clock::time_point begin_, end_;
  mutable std::mutex mutex_;
  std::map<Key, std::vector<float>> latencies_;
  std::map<Key, Unexpected> unexpected_;
  std::vector<float> start_delays_;
  int64_t succeeded_in_window_ = 0, started_in_window_ = 0;
};

}  // namespace graft::bench
