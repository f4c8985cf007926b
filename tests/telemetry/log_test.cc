#include "server/telemetry/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "server/base/status.h"

namespace kith::telemetry {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

std::string OnStderr(const std::function<void()>& log) {
  ::testing::internal::CaptureStderr();
  log();
  return ::testing::internal::GetCapturedStderr();
}

TEST(SetUpLogging, WritesTextToStderrAtOnce) {
  ASSERT_TRUE(SetUpLogging("info", "text").ok());
  const std::string out = OnStderr([] { spdlog::info("experiment {}", "a\nb"); });
  EXPECT_THAT(out, ContainsRegex("^20[0-9-]+T[0-9:.]+Z info experiment a\\\\nb\n$"));
}

TEST(SetUpLogging, WritesJson) {
  ASSERT_TRUE(SetUpLogging("info", "json").ok());
  const std::string out = OnStderr([] { spdlog::error("a\nb"); });
  EXPECT_EQ(nlohmann::json::parse(out)["message"], "a\nb");
  EXPECT_EQ(nlohmann::json::parse(out)["level"], "error");
}

TEST(SetUpLogging, EveryLevelLogsItselfAndWhatIsWorse) {
  const std::vector<std::string> levels = {"trace", "debug", "info", "warn", "error"};
  for (size_t least = 0; least < levels.size(); ++least) {
    ASSERT_TRUE(SetUpLogging(levels[least], "text").ok());
    const std::string out = OnStderr([] {
      spdlog::trace("at trace");
      spdlog::debug("at debug");
      spdlog::info("at info");
      spdlog::warn("at warn");
      spdlog::error("at error");
    });
    for (size_t i = 0; i < levels.size(); ++i) {
      EXPECT_EQ(out.find("at " + levels[i]) != std::string::npos, i >= least) << levels[least] << levels[i];
    }
  }
}

TEST(SetLogLevel, ChangesWhatIsLoggedFromThenOn) {
  ASSERT_TRUE(SetUpLogging("warn", "text").ok());
  EXPECT_EQ(LogLevel(), "warn");
  const std::string out = OnStderr([] {
    spdlog::info("before");
    EXPECT_TRUE(SetLogLevel("debug").ok());
    spdlog::debug("at debug");
    EXPECT_FALSE(SetLogLevel("loud").ok());
    EXPECT_EQ(LogLevel(), "debug");
    EXPECT_TRUE(SetLogLevel("error").ok());
    spdlog::warn("after");
  });
  EXPECT_THAT(out, HasSubstr(" info the log level is debug from now on; it was warn\n"));
  EXPECT_THAT(out, HasSubstr(" debug at debug\n"));
  EXPECT_THAT(out, HasSubstr(" info the log level is error from now on; it was debug\n"));
  EXPECT_THAT(out, Not(HasSubstr("before")));
  EXPECT_THAT(out, Not(HasSubstr("after\n")));
}

TEST(LogsRequest, ItsLinesSayWhichRequestTheyAreAbout) {
  ASSERT_TRUE(SetUpLogging("info", "text").ok());
  const std::string text = OnStderr([] {
    {
      const LogsRequest about("call-7");
      spdlog::info("a");
    }
    spdlog::info("b");
  });
  EXPECT_THAT(text, ContainsRegex(" info a request=call-7\n[^ ]+ info b\n$"));
  ASSERT_TRUE(SetUpLogging("info", "json").ok());
  const std::string json = OnStderr([] {
    const LogsRequest about("call-7");
    spdlog::info("a");
  });
  EXPECT_EQ(nlohmann::json::parse(json)["request_id"], "call-7");
}

TEST(SetUpLogging, RefusesUnknownNames) {
  const absl::Status level = SetUpLogging("loud", "text");
  EXPECT_EQ(ReasonOf(level), "BAD_PARAMETER");
  EXPECT_THAT(std::string(level.message()), HasSubstr("'loud' is not one of trace"));
  EXPECT_THAT(std::string(SetUpLogging("off", "text").message()), HasSubstr("'off'"));
  EXPECT_THAT(std::string(SetUpLogging("info", "xml").message()), HasSubstr("'xml' is not one of text, json"));
}

}  // namespace
}  // namespace kith::telemetry
