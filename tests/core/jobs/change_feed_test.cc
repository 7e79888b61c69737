#include "core/jobs/change_feed.h"

#include <optional>

#include "absl/synchronization/mutex.h"
#include "tests/core/jobs/job_store_fixture.h"

namespace graft::jobs {
namespace {

// Collects what it hears; a test waits for it instead of sleeping.
class Ear {
 public:
  ChangeFeed::Listener Listener() {
    return [this](const FeedItem& item) {
      absl::MutexLock lock(&mutex_);
      items_.push_back(item);
    };
  }
  bool Heard(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return items_.size() >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(20));
  }
  std::vector<FeedItem> items() {
    absl::MutexLock lock(&mutex_);
    return items_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<FeedItem> items_ ABSL_GUARDED_BY(mutex_);
};

class ChangeFeedTest : public JobStoreFixture {
 protected:
  void SetUp() override {
    JobStoreFixture::SetUp();
    MustSubmit();  // before the feed: nobody hears of it
    feed_ = ChangeFeed::Start(database_.get(), jobs_.get(), absl::Milliseconds(1));
  }

  std::unique_ptr<ChangeFeed> feed_;
};

TEST_F(ChangeFeedTest, EverySubscriberHearsEveryEventInOrder) {
  Ear first, second;
  const auto one = feed_->Subscribe(first.Listener()), two = feed_->Subscribe(second.Listener());
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(MustSubmit());
  for (Ear* ear : {&first, &second}) {
    ASSERT_TRUE(ear->Heard(ids.size()));
    const std::vector<FeedItem> items = ear->items();
    ASSERT_EQ(items.size(), ids.size());
    for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(items[i].job_id, ids[i]);
  }
}

TEST_F(ChangeFeedTest, HearsCommitsOfOtherProcesses) {
  ASSERT_OK_AND_ASSIGN(const auto other_database, store::Database::Open(path_));
  JobStore other(other_database.get());
  Ear ear;
  const auto subscription = feed_->Subscribe(ear.Listener());
  ASSERT_OK(other.Submit(SpecFor("cpu"), SpecFor("cpu"), ""));
  EXPECT_TRUE(ear.Heard(1));
}

TEST_F(ChangeFeedTest, EndedSubscriptionHearsNothingMore) {
  Ear ended, other;
  auto subscription = feed_->Subscribe(ended.Listener());
  const auto control = feed_->Subscribe(other.Listener());
  MustSubmit();
  ASSERT_TRUE(ended.Heard(1));
  subscription.reset();
  MustSubmit();
  ASSERT_TRUE(other.Heard(2));
  EXPECT_EQ(ended.items().size(), 1u);
}

TEST_F(ChangeFeedTest, ListenerMayEndItsOwnSubscription) {
  absl::Mutex mutex;
  int heard = 0;
  std::unique_ptr<ChangeFeed::Subscription> subscription;
  {
    absl::MutexLock lock(&mutex);
    subscription = feed_->Subscribe([&](const FeedItem&) {
      absl::MutexLock inner(&mutex);
      ++heard;
      subscription.reset();
    });
  }
  Ear other;
  const auto control = feed_->Subscribe(other.Listener());
  MustSubmit();
  MustSubmit();
  ASSERT_TRUE(other.Heard(2));
  absl::MutexLock lock(&mutex);
  EXPECT_EQ(heard, 1);
}

TEST_F(ChangeFeedTest, SubscriptionMayOutliveTheFeed) {
  Ear ear;
  auto subscription = feed_->Subscribe(ear.Listener());
  feed_.reset();
  subscription.reset();
  MustSubmit();
  EXPECT_TRUE(ear.items().empty());
}

}  // namespace
}  // namespace graft::jobs
