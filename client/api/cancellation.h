// Stops calls in flight from another thread.
#pragma once

#include <grpcpp/client_context.h>

#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace graft::client {

// Given to a call, Cancel() makes it return Cancelled soon. Cancelled for good: later calls return at once.
// Thread-safe; outlives the calls it is given to.
class Cancellation {
 public:
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsCancelled() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Ties a call's context to a cancellation (which may be null: nothing to tie) while it lives.
  class Scope {
   public:
    Scope(Cancellation* cancellation, grpc::ClientContext& context);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Cancellation* const cancellation_;
    grpc::ClientContext& context_;
  };

 private:
  mutable absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft::client
