#include "core/jobs/change_feed.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/base/thread_pool.h"

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
      : database_(database), jobs_(jobs), interval_(interval), position_(jobs->FeedEnd().value_or(0)) {
    thread_ = NamedThread("change-feed", [this] { Run(); });
  }

  ~PollingFeed() override {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    thread_.join();
  }

  // Misses nothing that commits from now on: the feed asks who subscribes after it has read the events.
  std::unique_ptr<Subscription> Subscribe(Listener listener) override {
    auto subscriber = std::make_shared<Subscriber>(std::move(listener));
    subscribers_->Add(subscriber);
    return std::make_unique<Token>(subscribers_, std::move(subscriber));
  }

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::optional<int64_t> seen;
    while (!StopWithin(interval_)) {
      const absl::StatusOr<int64_t> version = database_->DataVersion();
      if (version.ok() && seen == *version) continue;
      // After an error `seen` stays, so that the next round reads again.
      if (DeliverNew() && version.ok()) seen = *version;
    }
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

  bool StopWithin(absl::Duration wait) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&stopping_), wait);
  }

  store::Database* const database_;
  JobStore* const jobs_;
  const absl::Duration interval_;
  const std::shared_ptr<Subscribers> subscribers_ = std::make_shared<Subscribers>();

  int64_t position_;  // the feed's thread only

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace

std::unique_ptr<ChangeFeed> ChangeFeed::Start(store::Database* database, JobStore* jobs, absl::Duration interval) {
  return std::make_unique<PollingFeed>(database, jobs, interval);
}

}  // namespace graft::jobs
