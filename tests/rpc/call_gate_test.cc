#include "server/rpc/call_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "google/rpc/error_details.pb.h"
#include "server/base/status.h"
#include "server/rpc/request_id.h"
#include "server/rpc/status.h"
#include "tests/rpc/matchers.h"

namespace kith::rpc {
namespace {

TEST(CallGateTest, LetsNobodyInOnceItIsClosed) {
  CallGate gate(std::make_shared<telemetry::Metrics>(telemetry::BuildInfo{}));
  EXPECT_TRUE(gate.Enter(telemetry::Rpc::kList, "call-7").ok());
  gate.Close();
  EXPECT_THAT(gate.Enter(telemetry::Rpc::kList, "call-7").status(), IsError(Reason::kShuttingDown, "connect again"));
}

TEST(CallGateTest, WaitsForThoseInside) {
  CallGate gate(std::make_shared<telemetry::Metrics>(telemetry::BuildInfo{}));
  auto first = gate.Enter(telemetry::Rpc::kList, "call-7");
  auto second = gate.Enter(telemetry::Rpc::kList, "call-7");
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

TEST(CallGateTest, AnErrorTellsWhichCallItWas) {
  const CallGate gate(std::make_shared<telemetry::Metrics>(telemetry::BuildInfo{}));
  const grpc::Status end = gate.End(telemetry::Rpc::kGet, "call-7", ToGrpc(Error(Reason::kLate, "too late")));
  EXPECT_EQ(end.error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_EQ(end.error_message(), "too late");
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(end.error_details()));
  ASSERT_EQ(details.details_size(), 2);
  google::rpc::RequestInfo info;
  ASSERT_TRUE(details.details(1).UnpackTo(&info));
  EXPECT_EQ(info.request_id(), "call-7");
  // gRPC's own ends have no details of their own.
  ASSERT_TRUE(
      details.ParseFromString(gate.End(telemetry::Rpc::kGet, "call-8", grpc::Status::CANCELLED).error_details()));
  EXPECT_EQ(details.code(), grpc::CANCELLED);
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.request_id(), "call-8");
  EXPECT_TRUE(gate.End(telemetry::Rpc::kGet, "call-9", grpc::Status::OK).error_details().empty());
}

TEST(CallGateTest, ACallMayBeNamedByVisibleCharacters) {
  EXPECT_TRUE(IsCallId("5c1f-77/a=~!"));
  EXPECT_TRUE(IsCallId(std::string(128, 'x')));
  EXPECT_FALSE(IsCallId(std::string(129, 'x')));
  EXPECT_FALSE(IsCallId(""));
  for (const char* bad : {"a b", "a\tb", "a\x7f", "\xc3\xa4"}) EXPECT_FALSE(IsCallId(bad)) << bad;
}

TEST(CallGateTest, PatienceEnds) {
  CallGate gate(std::make_shared<telemetry::Metrics>(telemetry::BuildInfo{}));
  const auto inside = gate.Enter(telemetry::Rpc::kList, "call-7");
  gate.Close();
  gate.WaitUntilEmpty(std::chrono::milliseconds(1));
  EXPECT_TRUE(inside.ok());
}

}  // namespace
}  // namespace kith::rpc
