#include "server/auth/rate_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/base/status.h"

namespace kith::auth {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr TimePoint kStart{std::chrono::hours(1)};

std::shared_ptr<Account> MakeAccount(const config::Rates& rates) {
  return std::make_shared<Account>(rates, "this client", "limits.client");
}

void ExpectRefused(const absl::Status& status, const std::string& key, absl::Duration wait) {
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), "RATE_LIMITED");
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(key), HasSubstr("try again in")));
  EXPECT_EQ(RetryDelayOf(status), wait);
}

TEST(Account, GivesASecondsWorthAndNoMore) {
  const auto account = MakeAccount({/*requests=*/4, /*rows=*/0, /*bytes=*/0, /*streams=*/0});
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(account->Take({}, kStart).ok()) << i;
  ExpectRefused(account->Take({}, kStart), "limits.client.requests", absl::Milliseconds(250));
  ExpectRefused(account->Take({}, kStart + milliseconds(249)), "limits.client.requests", absl::Milliseconds(1));
  EXPECT_TRUE(account->Take({}, kStart + milliseconds(250)).ok());
  ExpectRefused(account->Take({}, kStart + milliseconds(250)), "limits.client.requests", absl::Milliseconds(250));
}

TEST(Account, SavesNoMoreThanASecond) {
  const auto account = MakeAccount({2, 0, 0, 0});
  const TimePoint later = kStart + std::chrono::hours(5);
  EXPECT_TRUE(account->Take({}, kStart).ok());
  EXPECT_TRUE(account->Take({}, later).ok());
  EXPECT_TRUE(account->Take({}, later).ok());
  EXPECT_FALSE(account->Take({}, later).ok());
}

TEST(Account, RowsAndBytesAtTheirEdges) {
  const auto rows = MakeAccount({0, 100, 0, 0});
  EXPECT_TRUE(rows->Take({1, 60, 1 << 30}, kStart).ok());
  ExpectRefused(rows->Take({1, 41, 0}, kStart), "limits.client.rows", absl::Milliseconds(10));
  EXPECT_TRUE(rows->Take({1, 40, 0}, kStart).ok());
  const auto bytes = MakeAccount({0, 0, 1000, 0});
  EXPECT_TRUE(bytes->Take({1, 1 << 30, 1000}, kStart).ok());
  ExpectRefused(bytes->Take({1, 0, 1}, kStart), "limits.client.bytes", absl::Milliseconds(1));
}

// All or nothing: what is refused for its rows has not taken a request either.
TEST(Account, WhatIsRefusedCostsNothing) {
  const auto account = MakeAccount({1, 10, 0, 0});
  EXPECT_TRUE(account->Take({0, 10, 0}, kStart).ok());
  EXPECT_FALSE(account->Take({1, 1, 0}, kStart).ok());
  EXPECT_TRUE(account->Take({1, 0, 0}, kStart).ok());
}

// A block of more rows than a second has passes when nothing was used, and is paid for afterwards.
TEST(Account, MoreThanASecondsWorthIsOwed) {
  const auto account = MakeAccount({0, 100, 0, 0});
  EXPECT_TRUE(account->Take({1, 300, 0}, kStart).ok());
  ExpectRefused(account->Take({1, 0, 0}, kStart), "limits.client.rows", absl::Seconds(2));
  ExpectRefused(account->Take({1, 300, 0}, kStart + milliseconds(2000)), "limits.client.rows", absl::Seconds(1));
  EXPECT_TRUE(account->Take({1, 300, 0}, kStart + milliseconds(3000)).ok());
}

TEST(Account, WhatIsOwedHoldsUpWhatComesNext) {
  const auto account = MakeAccount({0, 0, 1000, 0});
  account->Owe({0, 0, 1500}, kStart);
  account->Owe({0, 0, 500}, kStart);
  ExpectRefused(account->Take({}, kStart), "limits.client.bytes", absl::Seconds(1));
  EXPECT_TRUE(account->Take({}, kStart + milliseconds(1000)).ok());
}

TEST(Account, GivenBackCanBeTakenAgain) {
  const auto account = MakeAccount({1, 0, 0, 0});
  EXPECT_TRUE(account->Take({}, kStart).ok());
  account->GiveBack({});
  EXPECT_TRUE(account->Take({}, kStart).ok());
  EXPECT_FALSE(account->Take({}, kStart).ok());
}

TEST(Account, StreamsAreCountedWhileTheyAreOpen) {
  const auto account = MakeAccount({0, 0, 0, 2});
  auto first = account->EnterStream();
  const auto second = account->EnterStream();
  ASSERT_TRUE(first.ok() && second.ok());
  const absl::Status third = account->EnterStream().status();
  EXPECT_EQ(ReasonOf(third), "RATE_LIMITED");
  EXPECT_THAT(std::string(third.message()), HasSubstr("limits.client.streams"));
  first->reset();
  EXPECT_TRUE(account->EnterStream().ok());
}

TEST(Account, NewRatesHoldForWhatComesNext) {
  const auto account = MakeAccount({10, 0, 0, 0});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(account->Take({}, kStart).ok());
  account->SetRates({2, 5, 0, 0});
  EXPECT_TRUE(account->Take({1, 5, 0}, kStart).ok());
  EXPECT_TRUE(account->Take({}, kStart).ok());
  ExpectRefused(account->Take({}, kStart), "limits.client.requests", absl::Milliseconds(500));
  account->SetRates({10, 0, 0, 0});
  ExpectRefused(account->Take({}, kStart), "limits.client.requests", absl::Milliseconds(100));
  account->SetRates({});
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(account->Take({1, 1000, 1000}, kStart).ok());
  account->SetRates({1, 0, 0, 0});
  EXPECT_TRUE(account->Take({}, kStart).ok()) << "nothing is owed for what was not limited";
  EXPECT_FALSE(account->Take({}, kStart).ok());
}

TEST(Account, FewerStreamsEndNone) {
  const auto account = MakeAccount({0, 0, 0, 2});
  auto first = account->EnterStream();
  auto second = account->EnterStream();
  ASSERT_TRUE(first.ok() && second.ok());
  account->SetRates({0, 0, 0, 1});
  first->reset();
  EXPECT_FALSE(account->EnterStream().ok());
  second->reset();
  EXPECT_TRUE(account->EnterStream().ok());
}

TEST(RateLimits, NoneWhereNoneIsSet) {
  RateLimits none({});
  EXPECT_FALSE(none.AreSet());
  EXPECT_EQ(none.OfClient("a", kStart), nullptr);
  EXPECT_EQ(none.OfExperiment("anna", kStart), nullptr);
}

TEST(RateLimits, ChangeWhileTheyAreHeldTo) {
  config::Limits limits;
  limits.client.requests = 2;
  RateLimits rates(limits);
  const auto known = rates.OfClient("a", kStart);
  EXPECT_TRUE(known->Take({}, kStart).ok());
  limits.client.requests = 1;
  limits.experiment.rows = 5;
  rates.Set(limits);
  EXPECT_EQ(rates.OfClient("a", kStart), known);
  EXPECT_TRUE(known->Take({}, kStart).ok());
  EXPECT_FALSE(known->Take({}, kStart).ok());
  EXPECT_TRUE(rates.OfClient("b", kStart)->Take({}, kStart).ok());
  EXPECT_FALSE(rates.OfClient("b", kStart)->Take({}, kStart).ok()) << "new ones have the new rate";
  EXPECT_TRUE(rates.OfExperiment("anna", kStart)->Take({1, 5, 0}, kStart).ok());
  EXPECT_FALSE(rates.OfExperiment("anna", kStart)->Take({1, 1, 0}, kStart).ok()) << "there was no such limit";
  rates.Set({});
  EXPECT_FALSE(rates.AreSet());
  EXPECT_EQ(rates.OfClient("a", kStart), nullptr);
  EXPECT_TRUE(known->Take({}, kStart).ok()) << "a stream that is open goes on unlimited";
}

TEST(RateLimits, OnlyWhatIsSet) {
  config::Limits limits;
  limits.experiment.rows = 5;
  RateLimits rates(limits);
  EXPECT_TRUE(rates.AreSet());
  EXPECT_EQ(rates.OfClient("a", kStart), nullptr);
  EXPECT_TRUE(rates.OfExperiment("anna", kStart)->Take({1, 5, 0}, kStart).ok());
  EXPECT_FALSE(rates.OfExperiment("anna", kStart)->Take({1, 1, 0}, kStart).ok());
  EXPECT_TRUE(rates.OfExperiment("bert", kStart)->Take({1, 5, 0}, kStart).ok());
}

TEST(AccountTable, AFloodOfNamesStaysWithinBounds) {
  AccountTable table({10, 0, 0, 0}, "this client", "limits.client", 100);
  for (int i = 0; i < 10000; ++i) (void)table.Find(std::to_string(i), kStart)->Take({}, kStart);
  EXPECT_EQ(table.size(), 100u);
  // Those beyond share one account, so that a new name is no way around the limit.
  EXPECT_EQ(table.Find("x", kStart), table.Find("y", kStart));
  EXPECT_FALSE(table.Find("z", kStart)->Take({}, kStart).ok());
  // Those that were known keep theirs, until all is as if they had never come.
  EXPECT_TRUE(table.Find("5", kStart)->Take({}, kStart).ok());
  const TimePoint later = kStart + std::chrono::seconds(2);
  EXPECT_TRUE(table.Find("x", later)->Take({}, later).ok());
  EXPECT_EQ(table.size(), 1u);
}

TEST(AccountTable, OneWithAStreamIsNotForgotten) {
  AccountTable table({0, 0, 0, 1}, "this client", "limits.client", 2);
  const auto place = table.Find("a", kStart)->EnterStream();
  ASSERT_TRUE(place.ok());
  for (int i = 0; i < 10; ++i) (void)table.Find(std::to_string(i), kStart + std::chrono::seconds(10 * i));
  EXPECT_FALSE(table.Find("a", kStart)->EnterStream().ok());
}

TEST(RateLimits, WhatCannotBeANameIsNotKept) {
  config::Limits limits;
  limits.experiment.requests = 1;
  RateLimits rates(limits);
  EXPECT_EQ(rates.OfExperiment(std::string(129, 'a'), kStart), rates.OfExperiment(std::string(129, 'b'), kStart));
  EXPECT_NE(rates.OfExperiment(std::string(128, 'a'), kStart), rates.OfExperiment(std::string(128, 'b'), kStart));
}

TEST(ClientOf, IsTheMachine) {
  EXPECT_EQ(ClientOf("ipv4:10.0.0.1:5000"), ClientOf("ipv4:10.0.0.1:5001"));
  EXPECT_NE(ClientOf("ipv4:10.0.0.1:5000"), ClientOf("ipv4:10.0.0.2:5000"));
  EXPECT_EQ(ClientOf("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:5000"), ClientOf("ipv6:[2001:db8:1:2::1]:7"));
  EXPECT_NE(ClientOf("ipv6:%5B2001:db8:1:2::1%5D:1"), ClientOf("ipv6:%5B2001:db8:1:3::1%5D:1"));
  EXPECT_NE(ClientOf("ipv6:[::ffff:10.0.0.1]:1"), ClientOf("ipv6:[::ffff:10.0.0.2]:1"));
  EXPECT_EQ(ClientOf("unix:/tmp/socket"), ClientOf("unix:/tmp/socket"));
}

}  // namespace
}  // namespace kith::auth
