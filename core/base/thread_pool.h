// Named threads, and a bounded pool of them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace graft {

// Starts a thread whose name (at most 15 characters) shows in ps and gdb. The owner joins it.
std::thread NamedThread(const std::string& name, std::function<void()> body);

// Runs tasks on `threads` threads, at most `capacity` of them waiting. Thread-safe.
class ThreadPool {
 public:
  ThreadPool(const std::string& name, int threads, int capacity);
  // Runs what is queued, then joins.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // False, at once, when `capacity` tasks wait already.
  bool TryRun(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for room.
  void Run(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);

  int waiting() const ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t refused() const ABSL_LOCKS_EXCLUDED(mutex_);  // by TryRun, so far

 private:
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return static_cast<int>(tasks_.size()) < capacity_; }
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !tasks_.empty(); }

  const int capacity_;
  mutable absl::Mutex mutex_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  int64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace graft
