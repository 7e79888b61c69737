// One thread for LibTorch while it lives.
#pragma once

#include <torch/torch.h>

namespace graft::train {

// Sums over more threads have another order, and with it other last bits; matrices this small gain nothing from them.
class SingleThread {
 public:
  SingleThread() : threads_(at::get_num_threads()) { at::set_num_threads(1); }
  ~SingleThread() { at::set_num_threads(threads_); }
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;

 private:
  const int threads_;
};

}  // namespace graft::train
