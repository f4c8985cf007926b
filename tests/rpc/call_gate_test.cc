#include "server/rpc/call_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "tests/rpc/matchers.h"

namespace kith::rpc {
namespace {

TEST(CallGateTest, LetsNobodyInOnceItIsClosed) {
  CallGate gate(std::make_shared<telemetry::Metrics>(telemetry::BuildInfo{}));
  EXPECT_TRUE(gate.Enter(telemetry::Rpc::kList).ok());
  gate.Close();
  EXPECT_THAT(gate.Enter(telemetry::Rpc::kList).status(), IsError(Reason::kShuttingDown, "connect again"));
}

TEST(CallGateTest, WaitsForThoseInside) {
  CallGate gate(std::make_shared<telemetry::Metrics>(telemetry::BuildInfo{}));
  auto first = gate.Enter(telemetry::Rpc::kList);
  auto second = gate.Enter(telemetry::Rpc::kList);
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
  CallGate gate(std::make_shared<telemetry::Metrics>(telemetry::BuildInfo{}));
  const auto inside = gate.Enter(telemetry::Rpc::kList);
  gate.Close();
  gate.WaitUntilEmpty(std::chrono::milliseconds(1));
  EXPECT_TRUE(inside.ok());
}

}  // namespace
}  // namespace kith::rpc
