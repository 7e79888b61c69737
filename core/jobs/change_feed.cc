#include "core/jobs/change_feed.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/base/periodic_thread.h"

namespace graft::jobs {
namespace {

constexpr int kBatchItems = 1000;

// Calls one listener until it is ended. The mutex is recursive because a listener may end its own subscription.
class Subscriber {
 public:
  explicit Subscriber(ChangeFeed::Listener listener) : listener_(std::move(listener)) {}

  void Deliver(const std::vector<FeedItem>& items) {
    for (const FeedItem& item : items) {
      const std::lock_guard<std::recursive_mutex> lock(mutex_);
      if (ended_) return;
      listener_(item);
    }
  }
  void End() {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    ended_ = true;
  }

 private:
  const ChangeFeed::Listener listener_;
  std::recursive_mutex mutex_;
  bool ended_ = false;  // guarded by mutex_
};

// Thread-safe; shared with the subscriptions, which may outlive the feed.
class Subscribers {
 public:
  void Add(std::shared_ptr<Subscriber> subscriber) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    all_.push_back(std::move(subscriber));
  }
  void Remove(const std::shared_ptr<Subscriber>& subscriber) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    all_.erase(std::remove(all_.begin(), all_.end(), subscriber), all_.end());
  }
  std::vector<std::shared_ptr<Subscriber>> All() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return all_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::shared_ptr<Subscriber>> all_ ABSL_GUARDED_BY(mutex_);
};

class Token : public ChangeFeed::Subscription {
 public:
  Token(std::shared_ptr<Subscribers> subscribers, std::shared_ptr<Subscriber> subscriber)
      : subscribers_(std::move(subscribers)), subscriber_(std::move(subscriber)) {}
  ~Token() override {
    subscribers_->Remove(subscriber_);
    subscriber_->End();
  }

 private:
  const std::shared_ptr<Subscribers> subscribers_;
  const std::shared_ptr<Subscriber> subscriber_;
};

class PollingFeed : public ChangeFeed {
 public:
  PollingFeed(store::Database* database, JobStore* jobs, absl::Duration interval)
      // Without a start position everything is delivered: more than asked for is harmless, less is not.
      : database_(database),
        jobs_(jobs),
        position_(jobs->FeedEnd().value_or(0)),
        polling_("change-feed", interval, [this] { Poll(); }) {}

  // Misses nothing that commits from now on: the feed asks who subscribes after it has read the events.
  std::unique_ptr<Subscription> Subscribe(Listener listener) override {
    auto subscriber = std::make_shared<Subscriber>(std::move(listener));
    subscribers_->Add(subscriber);
    return std::make_unique<Token>(subscribers_, std::move(subscriber));
  }

 private:
  void Poll() {
    const absl::StatusOr<int64_t> version = database_->DataVersion();
    if (version.ok() && seen_ == *version) return;
    // After an error it stays, so that the next round reads again.
    if (DeliverNew() && version.ok()) seen_ = *version;
  }

  bool DeliverNew() {
    while (true) {
      const absl::StatusOr<std::vector<FeedItem>> items = jobs_->FeedAfter(position_, kBatchItems);
      if (!items.ok()) return false;
      if (items->empty()) return true;
      for (const auto& subscriber : subscribers_->All()) subscriber->Deliver(*items);
      position_ = items->back().position;
    }
  }

  store::Database* const database_;
  JobStore* const jobs_;
  const std::shared_ptr<Subscribers> subscribers_ = std::make_shared<Subscribers>();

  // The feed's thread's.
  int64_t position_;
  std::optional<int64_t> seen_;  // version of the database

  PeriodicThread polling_;
};

}  // namespace

std::unique_ptr<ChangeFeed> ChangeFeed::Start(store::Database* database, JobStore* jobs, absl::Duration interval) {
  return std::make_unique<PollingFeed>(database, jobs, interval);
}

}  // namespace graft::jobs
