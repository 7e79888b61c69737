// Answers that come in any order, reported in the order of their images.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "client/api/classify_stream.h"

namespace graft::client {

// Thread-safe. The observer is called with the lock held.
class OrderedAnswers {
 public:
  static constexpr int64_t kMaxAhead = 1024;

  // The observer outlives this.
  OrderedAnswers(int64_t count, const ClassifyObserver& observer) : count_(count), observer_(observer) {}

  // False for an index without an image, or that has its answer already.
  bool Take(int64_t index, v1::ClassifyStreamResponse answer) ABSL_LOCKS_EXCLUDED(mutex_);

  // The first index from `from` on without an answer, count when there is none. Waits while that is kMaxAhead or more
  // images after the oldest one without an answer; -1 if StopWaiting came instead.
  int64_t NextToSend(int64_t from) ABSL_LOCKS_EXCLUDED(mutex_);
  // No more answers come for now; until the next StartWaiting.
  void StopWaiting() ABSL_LOCKS_EXCLUDED(mutex_);
  void StartWaiting() ABSL_LOCKS_EXCLUDED(mutex_);

  bool complete() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The version of the first answer that names one; empty before.
  std::string model_version() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing more comes: reports the answers that waited for an earlier one and, unless `error` is Cancelled, the images
  // without an answer.
  void Close(const absl::Status& error) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void ReportReady() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int64_t count_;
  const ClassifyObserver& observer_;

  mutable absl::Mutex mutex_;
  int64_t next_ ABSL_GUARDED_BY(mutex_) = 0;  // the oldest without an answer; those before it are reported
  std::map<int64_t, v1::ClassifyStreamResponse> early_ ABSL_GUARDED_BY(mutex_);  // answers after it
  std::string model_version_ ABSL_GUARDED_BY(mutex_);
  bool waiting_ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace graft::client
