#include "server/rpc/stream_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/rpc/matchers.h"

namespace kith::rpc {
namespace {

config::Limits Most(int streams) {
  config::Limits limits;
  limits.streams = streams;
  return limits;
}

class Stream : public Drainable {
 public:
  void Drain() override { ++drained; }
  std::atomic<int> drained{0};
};

TEST(StreamSetTest, LetsInAsManyAsTheLimitAndAgainWhenOneLeaves) {
  config::LiveLimits limits(Most(2));
  StreamSet set(&limits);
  Stream a;
  Stream b;
  Stream c;
  ASSERT_TRUE(set.Enter(&a).ok());
  ASSERT_TRUE(set.Enter(&b).ok());
  EXPECT_THAT(set.Enter(&c), IsError(Reason::kOverloaded, "there are 2 streams and no more may be (limits.streams)"));
  set.Leave(&a);
  EXPECT_TRUE(set.Enter(&c).ok());
}

TEST(StreamSetTest, ADrainReachesThoseThatAreInOnceAndLetsNobodyIn) {
  config::LiveLimits limits(Most(10));
  StreamSet set(&limits);
  Stream in;
  Stream left;
  Stream late;
  ASSERT_TRUE(set.Enter(&in).ok());
  ASSERT_TRUE(set.Enter(&left).ok());
  set.Leave(&left);
  set.DrainAll();
  EXPECT_EQ(in.drained, 1);
  EXPECT_EQ(left.drained, 0);
  EXPECT_THAT(set.Enter(&late), IsError(Reason::kShuttingDown, "connect again"));
}

TEST(StreamSetTest, ALimitThatChangesHoldsForThoseThatCome) {
  config::LiveLimits limits(Most(1));
  StreamSet set(&limits);
  Stream a;
  Stream b;
  ASSERT_TRUE(set.Enter(&a).ok());
  EXPECT_THAT(set.Enter(&b), IsError(Reason::kOverloaded, "limits.streams"));
  limits.Set(Most(2));
  EXPECT_TRUE(set.Enter(&b).ok());
}

// A stream that ends during the drain may be deleted as soon as Leave returns.
TEST(StreamSetTest, LeavingWaitsForADrainThatIsUnderWay) {
  config::LiveLimits limits(Most(1));
  StreamSet set(&limits);
  struct Leaving : Drainable {
    explicit Leaving(StreamSet* set) : set(set) {}
    void Drain() override {
      leaver = std::thread([this] {
        set->Leave(this);
        left = true;
      });
      left_during_drain = left.load();
    }
    StreamSet* set;
    std::thread leaver;
    std::atomic<bool> left{false};
    bool left_during_drain = false;
  } stream(&set);
  ASSERT_TRUE(set.Enter(&stream).ok());
  set.DrainAll();
  stream.leaver.join();
  EXPECT_FALSE(stream.left_during_drain);
  EXPECT_TRUE(stream.left);
}

}  // namespace
}  // namespace kith::rpc
