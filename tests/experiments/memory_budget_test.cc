#include "server/experiments/memory_budget.h"

#include <gtest/gtest.h>

#include <vector>

#include "server/base/status.h"

namespace kith::experiments {
namespace {

TEST(MemoryBudgetTest, WhatIsReservedComesBackWithTheReservation) {
  MemoryBudget budget(100);
  {
    const auto first = budget.Reserve(60, "a");
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(budget.used(), 60);
    EXPECT_FALSE(budget.Reserve(41, "b").ok());
    EXPECT_TRUE(budget.Reserve(40, "c").ok());
  }
  EXPECT_EQ(budget.used(), 0);
}

TEST(MemoryBudgetTest, AFullBudgetSaysTheFigures) {
  MemoryBudget budget(int64_t{100} << 20);
  const auto held = budget.Reserve(int64_t{70} << 20, "a");
  const absl::Status full = budget.Reserve(int64_t{40} << 20, "loading 'anna'").status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(full), "MEMORY_BUDGET");
  EXPECT_TRUE(RetryDelayOf(full).has_value());
  for (const char* part : {"loading 'anna'", "40 MiB", "70 MiB", "100 MiB"}) {
    EXPECT_NE(std::string(full.message()).find(part), std::string::npos) << full << " lacks " << part;
  }
  const absl::Status never = budget.Reserve(int64_t{101} << 20, "loading 'anna'").status();
  EXPECT_NE(std::string(never.message()).find("more than the whole budget"), std::string::npos) << never;
}

TEST(MemoryBudgetTest, RoomIsMadeForAsLongAsSomethingCanGo) {
  MemoryBudget budget(100);
  std::vector<MemoryBudget::Reservation> idle;
  for (int i = 0; i < 4; ++i) idle.push_back(*budget.Reserve(20, "idle"));
  std::vector<int64_t> asked;
  budget.SetMakeRoom([&](int64_t bytes) {
    asked.push_back(bytes);
    if (idle.empty()) return false;
    idle.pop_back();
    return true;
  });
  const auto large = budget.Reserve(60, "large");
  EXPECT_TRUE(large.ok());
  EXPECT_EQ(asked, (std::vector<int64_t>{40, 20}));
  EXPECT_FALSE(budget.Reserve(90, "too large").ok());
  EXPECT_TRUE(idle.empty());
}

TEST(MemoryBudgetTest, RoomThatOthersGiveBackMeanwhileCounts) {
  MemoryBudget budget(100);
  auto held = budget.Reserve(60, "a");
  budget.SetMakeRoom([&](int64_t) {
    *held = {};
    return false;
  });
  EXPECT_TRUE(budget.Reserve(60, "b").ok());
}

TEST(MemoryBudgetTest, ResizedOnlyWhereThereIsRoomButCorrectedAlways) {
  MemoryBudget budget(100);
  auto held = budget.Reserve(60, "a");
  EXPECT_FALSE(held->Resize(101, "a").ok());
  EXPECT_EQ(held->bytes(), 60);
  EXPECT_TRUE(held->Resize(100, "a").ok());
  EXPECT_TRUE(held->Resize(10, "a").ok());
  EXPECT_EQ(budget.used(), 10);
  held->Correct(150);
  EXPECT_EQ(budget.used(), 150);
  MemoryBudget::Reservation moved = *std::move(held);
  EXPECT_EQ(moved.bytes(), 150);
  EXPECT_EQ(budget.used(), 150);
  moved = {};
  EXPECT_EQ(budget.used(), 0);
}

}  // namespace
}  // namespace kith::experiments
