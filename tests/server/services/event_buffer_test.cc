#include "server/services/event_buffer.h"

#include "tests/testing/status_matchers.h"

namespace graft::services {
namespace {

jobs::Event EventAt(int sequence) {
  return {sequence, absl::UnixEpoch(), jobs::Message{"m"}};
}

int PopSequence(EventBuffer& buffer) {
  const auto event = buffer.Pop();
  return event ? event->sequence : -1;
}

TEST(EventBufferTest, StartsBehindBecauseTheStoreHasThePast) {
  EventBuffer buffer(5, 10);
  EXPECT_TRUE(buffer.TakeBehind());
  EXPECT_FALSE(buffer.TakeBehind());
  EXPECT_EQ(buffer.last_sequence(), 5);
}

TEST(EventBufferTest, EventsFromTwoSidesComeOnceAndInOrder) {
  EventBuffer buffer(0, 10);
  buffer.TakeBehind();
  for (const int sequence : {1, 2, 2, 1, 3}) buffer.Offer(EventAt(sequence));
  EXPECT_EQ(PopSequence(buffer), 1);
  EXPECT_EQ(PopSequence(buffer), 2);
  buffer.Offer(EventAt(2));
  EXPECT_EQ(PopSequence(buffer), 3);
  EXPECT_EQ(PopSequence(buffer), -1);
  EXPECT_FALSE(buffer.TakeBehind());
}

TEST(EventBufferTest, HoleMeansReadingTheStore) {
  EventBuffer buffer(0, 10);
  buffer.TakeBehind();
  buffer.Offer(EventAt(3));
  EXPECT_EQ(PopSequence(buffer), -1);
  EXPECT_TRUE(buffer.TakeBehind());
  EXPECT_EQ(buffer.last_sequence(), 0);
}

TEST(EventBufferTest, FullBufferLeavesTheRestToTheStore) {
  EventBuffer buffer(0, 2);
  buffer.TakeBehind();
  for (int sequence = 1; sequence <= 4; ++sequence) buffer.Offer(EventAt(sequence));
  EXPECT_TRUE(buffer.TakeBehind());
  EXPECT_EQ(buffer.last_sequence(), 2);
  EXPECT_EQ(PopSequence(buffer), 1);
  buffer.Offer(EventAt(3));
  EXPECT_EQ(PopSequence(buffer), 2);
  EXPECT_EQ(PopSequence(buffer), 3);
}

}  // namespace
}  // namespace graft::services
