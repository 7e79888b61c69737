#include "core/base/thread_pool.h"

#include <pthread.h>

#include <utility>

namespace graft {

std::thread NamedThread(const std::string& name, std::function<void()> body) {
  return std::thread([name = name.substr(0, 15), body = std::move(body)] {
    pthread_setname_np(pthread_self(), name.c_str());
    body();
  });
}

ThreadPool::ThreadPool(const std::string& name, int threads, int capacity) : capacity_(capacity) {
  for (int i = 0; i < threads; ++i) threads_.push_back(NamedThread(name, [this] { Work(); }));
}

ThreadPool::~ThreadPool() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadPool::TryRun(std::function<void()> task) {
  absl::MutexLock lock(&mutex_);
  if (!HasRoom()) {
    ++refused_;
    return false;
  }
  tasks_.push_back(std::move(task));
  return true;
}

void ThreadPool::Run(std::function<void()> task) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &ThreadPool::HasRoom));
  tasks_.push_back(std::move(task));
}

int ThreadPool::waiting() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(tasks_.size());
}

int64_t ThreadPool::refused() const {
  absl::MutexLock lock(&mutex_);
  return refused_;
}

void ThreadPool::Work() {
  while (true) {
    std::function<void()> task;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &ThreadPool::HasWork));
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace graft
