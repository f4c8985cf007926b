#include "server/telemetry/slow_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "server/telemetry/log.h"

namespace kith::telemetry {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

class SlowLogTest : public ::testing::Test {
 protected:
  SlowLogTest() { EXPECT_TRUE(SetUpLogging("info", "text").ok()); }

  // What is logged of so many blocks at `time`.
  std::string Log(int blocks, TimePoint time) {
    ::testing::internal::CaptureStderr();
    for (int i = 0; i < blocks; ++i) {
      log_.Log({Rpc::kStreamExpand, "anna", "call-7", 16, milliseconds(300), milliseconds(11), milliseconds(312)},
               time);
    }
    return ::testing::internal::GetCapturedStderr();
  }
  static int64_t Lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

  SlowLog log_{milliseconds(250)};
  const TimePoint start_ = Clock::now();
};

TEST_F(SlowLogTest, WhatTakesTheTimeOrLongerIsSlow) {
  EXPECT_FALSE(log_.IsSlow(milliseconds(249)));
  EXPECT_TRUE(log_.IsSlow(milliseconds(250)));
  EXPECT_FALSE(SlowLog(milliseconds(0)).IsSlow(seconds(1000))) << "0 is never";
}

TEST_F(SlowLogTest, SaysWhatWasSlowAndWhereTheTimeWent) {
  const std::string line = Log(1, start_);
  EXPECT_THAT(line, HasSubstr(" warn slow StreamExpand of 'anna': 312.0 ms, of that 300.0 in the queue and 11.0 "
                              "computing; 16 rows request=call-7\n"));
}

TEST_F(SlowLogTest, AFloodLeavesAFewLinesAndACount) {
  EXPECT_EQ(Lines(Log(1000, start_)), 10);
  EXPECT_EQ(Lines(Log(1000, start_ + milliseconds(500))), 0);
  const std::string later = Log(1, start_ + seconds(2));
  EXPECT_EQ(Lines(later), 1);
  EXPECT_THAT(later, HasSubstr("; 1990 more were slow since the last such line"));
  EXPECT_EQ(Lines(Log(1000, start_ + seconds(1000))), 10) << "silence saves no more than that";
}

}  // namespace
}  // namespace kith::telemetry
