#include "server/rpc/stream_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/rpc/matchers.h"

namespace kith::rpc {
namespace {

class Stream : public Drainable {
 public:
  void Drain() override { ++drained; }
  std::atomic<int> drained{0};
};

TEST(StreamSetTest, LetsInAsManyAsTheLimitAndAgainWhenOneLeaves) {
  StreamSet set(2);
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
  StreamSet set(10);
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

// A stream that ends during the drain may be deleted as soon as Leave returns.
TEST(StreamSetTest, LeavingWaitsForADrainThatIsUnderWay) {
  StreamSet set(1);
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
