// What the generator sends: requests of one kind, or the mixture of a bad day.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/bench/load/caller.h"

namespace graft::bench {

struct TrafficOptions {
  std::string kind = "classify";  // see Traffic::Kinds
  std::string method;             // "raw": the method that takes the payload's bytes as they are
  std::vector<std::string> models;
  std::vector<std::string> payloads;  // the files' bytes
  uint64_t seed = 1;
  std::optional<std::chrono::microseconds> deadline;
};

// One call as planned.
struct PlannedCall {
  std::string kind;
  Request request;
  std::optional<std::chrono::microseconds> cancel_after;
  std::set<std::string> expected = {"OK"};
  // The outcome's name for an answer that came with OK: "OK", or what is wrong with it.
  std::function<std::string(const grpc::ByteBuffer&)> check;
};

// Thread-safe.
class Traffic {
 public:
  // first-and-again: each model in turn, called twice with one image; the calls' kinds are "first" and "again".
  static std::vector<std::string> Kinds();

  // Throws std::runtime_error for options that do not fit the kind.
  explicit Traffic(TrafficOptions options);

  PlannedCall Next();

 private:
  PlannedCall Plan(const std::string& kind);
  PlannedCall Classify(grpc::Slice image);
  PlannedCall ClassifyBatch();
  PlannedCall FirstOrAgain();
  const grpc::Slice& Any(const std::vector<grpc::Slice>& slices);
  std::chrono::microseconds Between(int low_ms, int high_ms);

  const TrafficOptions options_;
  std::vector<grpc::Slice> models_;     // ClassifyRequest with the model alone
  std::vector<grpc::Slice> images_;     // ClassifyRequest with the image alone; "raw": the bytes
  std::vector<grpc::Slice> truncated_;  // the same, cut in half
  std::vector<grpc::Slice> in_batch_;   // ClassifyBatchRequest with one image
  std::mutex mutex_;
  std::mt19937_64 random_;
  size_t touches_ = 0;  // of first-and-again
};

}  // namespace graft::bench
