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

TEST(SetUpLogging, RefusesUnknownNames) {
  const absl::Status level = SetUpLogging("loud", "text");
  EXPECT_EQ(ReasonOf(level), "BAD_PARAMETER");
  EXPECT_THAT(std::string(level.message()), HasSubstr("'loud' is not one of trace"));
  EXPECT_THAT(std::string(SetUpLogging("off", "text").message()), HasSubstr("'off'"));
  EXPECT_THAT(std::string(SetUpLogging("info", "xml").message()), HasSubstr("'xml' is not one of text, json"));
}

}  // namespace
}  // namespace kith::telemetry
