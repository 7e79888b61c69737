// Loads what will be asked for before it is asked for, so that no request waits for a backbone.
#pragma once

#include <memory>

#include "core/base/thread_pool.h"
#include "core/inference/classifier.h"
#include "core/jobs/change_feed.h"
#include "core/registry/registry.h"

namespace graft {

// At the start every version aliased "production", from then on every version that a job publishes. What cannot be
// loaded is logged; its first Classify says why. Everything given to it outlives it.
class Preloader {
 public:
  Preloader(inference::Classifier* classifier, registry::Registry* registry, jobs::ChangeFeed* feed);

 private:
  void Load(const std::string& model);
  void LoadProduction();

  inference::Classifier* const classifier_;
  registry::Registry* const registry_;
  ThreadPool loads_;
  std::unique_ptr<jobs::ChangeFeed::Subscription> published_;  // ends before loads_ does
};

}  // namespace graft
