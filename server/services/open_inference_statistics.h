// How often each model version was asked through the Open Inference Protocol, and where the time went.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "inference/grpc_service.pb.h"

namespace graft::services {

struct InferTimes {
  absl::Duration total, queue, input, infer, output;
};

// Thread-safe.
class OpenInferenceStatistics {
 public:
  // Versions kept; the one whose last request is longest ago leaves first, with its counts.
  static constexpr size_t kMaxVersions = 4096;

  // `passes`: the forward pass of each image, 0 for one that needed none. Those that images share, of this request or
  // another, are one execution of the model.
  void Succeeded(const std::string& model, int number, const std::vector<int64_t>& passes, const InferTimes& times)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Failed(const std::string& model, int number, absl::Duration total) ABSL_LOCKS_EXCLUDED(mutex_);

  // All zero for a version that was not asked yet.
  ::inference::ModelStatistics Of(const std::string& model, int number) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Of the model's versions, or (empty) of every model's: those asked so far, by model and number.
  std::vector<::inference::ModelStatistics> OfAll(const std::string& model) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Key = std::pair<std::string, int>;  // model, number
  struct Entry {
    Key key;
    ::inference::ModelStatistics statistics;
    std::vector<int64_t> passes;  // the latest that are counted, sorted: who shares one is answered soon after it
  };
  static constexpr size_t kRememberedPasses = 512;

  // Whether it is none of those counted already.
  static bool CountPass(int64_t pass, std::vector<int64_t>& counted);
  Entry& Touch(const std::string& model, int number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // asked last first
  absl::flat_hash_map<Key, std::list<Entry>::iterator> index_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft::services
