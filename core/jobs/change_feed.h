// The one poller of a server: sees commits of every process and fans them out to watchers.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "core/jobs/job_store.h"

namespace graft::jobs {

// Polls the database's data version (50 ms by default), then reads new events once, however many subscribers.
// Thread-safe.
class ChangeFeed {
 public:
  // Called on the feed's thread, in feed order; must not block.
  using Listener = std::function<void(const FeedItem&)>;

  static std::unique_ptr<ChangeFeed> Start(store::Database* database, JobStore* jobs,
                                           absl::Duration interval = absl::Milliseconds(50));
  virtual ~ChangeFeed() = default;

  // All events of all jobs from the newest at the time of the call on. The returned token ends the subscription when
  // destroyed (after which the listener is not running and will not run).
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  [[nodiscard]] virtual std::unique_ptr<Subscription> Subscribe(Listener listener) = 0;
};

}  // namespace graft::jobs
