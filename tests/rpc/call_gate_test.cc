#include "server/rpc/call_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/rpc/matchers.h"

namespace kith::rpc {
namespace {

TEST(CallGateTest, LetsNobodyInOnceItIsClosed) {
  CallGate gate;
  EXPECT_TRUE(gate.Enter().ok());
  gate.Close();
  EXPECT_THAT(gate.Enter().status(), IsError(Reason::kShuttingDown, "connect again"));
}

TEST(CallGateTest, WaitsForThoseInside) {
  CallGate gate;
  auto first = gate.Enter();
  auto second = gate.Enter();
  ASSERT_TRUE(first.ok() && second.ok());
  first->reset();
  gate.Close();
  std::atomic<bool> left{false};
  std::thread leaver([&] {
    left = true;
    second->reset();
  });
  gate.WaitUntilEmpty(std::chrono::minutes(2));
  EXPECT_TRUE(left);
  leaver.join();
}

TEST(CallGateTest, PatienceEnds) {
  CallGate gate;
  const auto inside = gate.Enter();
  gate.Close();
  gate.WaitUntilEmpty(std::chrono::milliseconds(1));
  EXPECT_TRUE(inside.ok());
}

}  // namespace
}  // namespace kith::rpc
