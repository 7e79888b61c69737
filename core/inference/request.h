// One image on its way through the classifier.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/ids.h"
#include "core/batching/batcher.h"
#include "core/inference/classifier.h"
#include "core/inference/head.h"
#include "core/inference/trunk_cache.h"

namespace graft::inference {

struct Request;
using RequestPointer = std::shared_ptr<Request>;

// Belongs to one thread at a time: the lane that works on it, or whoever takes it out of the scheduler.
struct Request {
  ClassifyCall call;
  VersionReference model;
  std::function<void(absl::StatusOr<Classification>)> done;
  absl::Time arrival;
  int64_t cancel_listener = -1;

  // Set on the way.
  std::shared_ptr<const LoadedHead> head;
  TrunkCache::Trunk trunk;
  std::vector<uint8_t> input;                            // [size, size, 3] RGB
  std::string cache_key;                                 // where its response is kept, if it is
  std::shared_ptr<const Classification> known_response;  // found there
  absl::Duration decode, forward;                        // spent so far
  absl::Duration postprocess;                            // of forward
  absl::Time last_step;                                  // when it began to wait or to be worked on
  absl::Duration queued;                                 // time waited so far

  // The scheduler's, under its lock.
  enum class Place { kOutside, kWithALane, kDecodeQueue, kForwardQueue, kParked };
  Place place = Place::kOutside;
  int64_t number = 0;  // order of arrival, unique
  int64_t bytes = 0;   // of the encoded image when it was admitted
  batching::FairQueue<RequestPointer>::Place in_queue;
};

}  // namespace graft::inference
