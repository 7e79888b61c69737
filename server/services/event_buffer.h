// The events a watcher has yet to get, in order and with no hole that the store could fill, whoever brings them: the
// change feed as they are committed, or the store when the watcher has fallen behind.
#pragma once

#include <deque>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/jobs/job.h"

namespace graft::services {

// Thread-safe. Holds at most `capacity` events; what does not fit is read from the store later, so a slow reader
// never holds up the feed.
class EventBuffer {
 public:
  // Starts behind: the store has what came before.
  EventBuffer(int after_sequence, size_t capacity) : capacity_(capacity), last_(after_sequence) {}

  // Takes the event if it is the next one; ignores one it has had; else notes that it is behind.
  void Offer(const jobs::Event& event) ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<jobs::Event> Pop() ABSL_LOCKS_EXCLUDED(mutex_);
  // There is none before `sequence` any more.
  void SkipTo(int sequence) ABSL_LOCKS_EXCLUDED(mutex_);

  // True if the store has events that this lacks (they follow last_sequence()); the caller reads them and offers them.
  bool TakeBehind() ABSL_LOCKS_EXCLUDED(mutex_);
  void MarkBehind() ABSL_LOCKS_EXCLUDED(mutex_);
  // Of the newest event it has or has had.
  int last_sequence() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const size_t capacity_;
  mutable absl::Mutex mutex_;
  std::deque<jobs::Event> events_ ABSL_GUARDED_BY(mutex_);
  int last_ ABSL_GUARDED_BY(mutex_);
  bool behind_ ABSL_GUARDED_BY(mutex_) = true;
};

}  // namespace graft::services
