// Requests on their way to a lane: bounded, first come first served, each answered at its deadline at the latest.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/inference/classifier.h"
#include "core/inference/head.h"
#include "core/inference/trunk_cache.h"

namespace graft::inference {

// Belongs to one thread at a time: who Take()s it, a lane or the queue's own.
struct Request {
  ClassifyCall call;
  VersionReference model;
  std::function<void(absl::StatusOr<Classification>)> done;
  absl::Time arrival;
  int64_t number = 0;                      // order of arrival, unique; set by the queue
  std::shared_ptr<const LoadedHead> head;  // once resolved
  TrunkCache::Trunk trunk;                 // once loaded
};
using RequestPointer = std::shared_ptr<Request>;

// Thread-safe. A request waits from Push or Park until Pop or Take, exactly one of which gets it, or until it expires.
class RequestQueue {
 public:
  // `on_expired` is called on the queue's own thread for a request whose deadline passed while it waited.
  RequestQueue(int capacity, std::function<void(RequestPointer)> on_expired);
  ~RequestQueue();
  RequestQueue(const RequestQueue&) = delete;
  RequestQueue& operator=(const RequestQueue&) = delete;

  // False, at once, when `capacity` requests wait already, or after Stop.
  bool TryPush(RequestPointer request) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for a request; null after Stop.
  RequestPointer Pop() ABSL_LOCKS_EXCLUDED(mutex_);

  // The popped request waits for something else; False after Stop.
  bool Park(RequestPointer request) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends a Park: true if the request is the caller's again, false if it expired or the queue stopped meanwhile.
  bool Take(const RequestPointer& request) ABSL_LOCKS_EXCLUDED(mutex_);
  // A taken request goes to a lane before all others, whatever the capacity. False after Stop.
  bool PushFront(RequestPointer request) ABSL_LOCKS_EXCLUDED(mutex_);

  // Wakes every Pop; gives back what still waited.
  std::vector<RequestPointer> Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Key = std::pair<absl::Time, int64_t>;  // deadline, number
  static Key KeyOf(const Request& request) { return {request.call.deadline, request.number}; }

  bool HasReady() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || !ready_.empty(); }
  void Expire() ABSL_LOCKS_EXCLUDED(mutex_);

  const int capacity_;
  const std::function<void(RequestPointer)> on_expired_;
  absl::Mutex mutex_;
  absl::CondVar earlier_deadline_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t next_number_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<RequestPointer> ready_ ABSL_GUARDED_BY(mutex_);
  std::map<Key, RequestPointer> waiting_ ABSL_GUARDED_BY(mutex_);  // ready and parked ones
  std::thread expirer_;
};

}  // namespace graft::inference
