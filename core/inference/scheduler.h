// Which image is worked on next, and which is refused: the queues between admission, decoding and forward pass.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/batching/batcher.h"
#include "core/inference/request.h"

namespace graft::inference {

// What a stopped classifier answers: Unavailable, another attempt finds the next server.
absl::Status ShuttingDown();

struct SchedulerOptions {
  int capacity_images = 256;                    // admitted and not yet answered
  int64_t capacity_bytes = int64_t{256} << 20;  // of their encoded images
  int lanes = 1;                                // that share the work: how fast a queue shrinks
  bool has_forward_lane = false;                // some lane has Role::kForward; otherwise all do both
  batching::BatchPolicy batches;
};

// What a lane may be given. One that may do both runs forward passes first: what is begun is finished.
enum class Role { kDecode, kForward, kDecodeAndForward };

// A request waits from Admit, Park or Decoded until a lane gets it from Next, somebody takes it with Take, or it
// expires: a timer answers it at its deadline, wherever it waits. While others wait, one that could not be decoded and
// run before its deadline expires when its turn comes. Thread-safe.
class Scheduler {
 public:
  // `on_expired` is called on the scheduler's own thread or in Next, without a lock.
  Scheduler(SchedulerOptions options, std::function<void(RequestPointer)> on_expired);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // RetryLater(ResourceExhausted), at once, when a capacity is used up or when the queue is so long that the request
  // would miss its deadline; Unavailable after Stop.
  absl::Status Admit(const RequestPointer& request) ABSL_LOCKS_EXCLUDED(mutex_);

  // What to do next. One request without a trunk's batch is to be decoded; otherwise all are to go through `trunk`.
  struct Work {
    std::vector<RequestPointer> requests;  // empty after Stop
    TrunkCache::Trunk trunk;               // null: decode
    engine::Cores cores = engine::Cores::kOne;
    int64_t forward_pass = 0;  // its number, from 1
  };
  Work Next(Role role) ABSL_LOCKS_EXCLUDED(mutex_);

  // The request is decoded and its trunk is there. A caller of Role::kDecodeAndForward must be a lane that calls Next
  // right away; for another one some lane is woken. False after Stop.
  bool Decoded(const RequestPointer& request, Role role) ABSL_LOCKS_EXCLUDED(mutex_);
  // The request waits for something else, its trunk. False after Stop.
  bool Park(const RequestPointer& request) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes the request from wherever it waits: true if it is the caller's now.
  bool Take(const RequestPointer& request) ABSL_LOCKS_EXCLUDED(mutex_);

  // The request is answered and leaves. `busy` is what lanes spent on it, zero if it was not run.
  void Leave(const Request& request, absl::Duration busy) ABSL_LOCKS_EXCLUDED(mutex_);

  // Replaces all of `stats` by what it knows.
  void AddTo(ClassifierStats& stats) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Wakes every Next; gives back what waited. No request expires afterwards, but for those that a Next is letting go
  // of. One thread, the owner's.
  std::vector<RequestPointer> Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Key = std::pair<absl::Time, int64_t>;  // deadline, number
  struct Line {
    const engine::Engine* trunk;  // which the requests hold
    batching::Batcher<RequestPointer> batcher;
  };

  static Key KeyOf(const Request& request) { return {request.call.deadline, request.number}; }

  // None: those in `late` are to be answered before anything else.
  std::optional<Work> WaitForWork(Role role, std::vector<RequestPointer>& late) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next to be decoded, if there is one.
  RequestPointer NextToDecode(std::vector<RequestPointer>& late) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRoom(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration WaitAhead(Priority priority) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Line& LineOf(const engine::Engine* trunk) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wait(const RequestPointer& request, Request::Place place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // From the middle of its queue.
  void TakeOut(const RequestPointer& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What has left its queue waits no longer.
  void GiveToLane(const RequestPointer& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A batch that is due at `now`; otherwise lowers `next` to when one will be.
  bool TakeBatch(absl::Time now, absl::Time& next, Work& work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Expire() ABSL_LOCKS_EXCLUDED(mutex_);

  const SchedulerOptions options_;
  const std::function<void(RequestPointer)> on_expired_;

  mutable absl::Mutex mutex_;
  absl::CondVar decode_work_, forward_work_, earlier_deadline_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t next_number_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t forward_passes_ ABSL_GUARDED_BY(mutex_) = 0;  // given out
  int images_[2] ABSL_GUARDED_BY(mutex_) = {0, 0};      // admitted and not answered, by priority
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;           // of their encoded images
  absl::Duration usual_work_ ABSL_GUARDED_BY(mutex_);   // of a lane on one image, lately; zero: not known yet
  int64_t worked_on_ ABSL_GUARDED_BY(mutex_) = 0;       // images
  batching::FairQueue<RequestPointer> decode_queue_ ABSL_GUARDED_BY(mutex_);
  ClassifierStats counts_ ABSL_GUARDED_BY(mutex_);                 // of them those that only grow
  std::list<Line> lines_ ABSL_GUARDED_BY(mutex_);                  // by turns; some are empty
  std::map<Key, RequestPointer> waiting_ ABSL_GUARDED_BY(mutex_);  // in whatever queue, and parked
  std::thread expirer_;
};

}  // namespace graft::inference
