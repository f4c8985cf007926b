#include "server/telemetry/log_format.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace kith::telemetry {
namespace {

std::string Line(const std::unique_ptr<spdlog::formatter>& formatter, const std::string& message,
                 spdlog::level::level_enum level = spdlog::level::info) {
  // 2026-01-31T12:00:00.123Z
  const spdlog::log_clock::time_point time{std::chrono::milliseconds(1769860800123)};
  const spdlog::details::log_msg entry(time, {}, "kith", level, message);
  spdlog::memory_buf_t line;
  formatter->format(entry, line);
  return std::string(line.data(), line.size());
}

std::string Text(const std::string& message) {
  const std::string line = Line(TextFormatter(), message);
  const std::string start = "2026-01-31T12:00:00.123Z info ";
  EXPECT_EQ(line.substr(0, start.size()), start);
  EXPECT_EQ(line.back(), '\n');
  return line.substr(start.size(), line.size() - start.size() - 1);
}

// All that a hostile name could hold: every byte, and the characters that break or turn lines.
std::string Hostile() {
  std::string text;
  for (int byte = 0; byte < 256; ++byte) text += static_cast<char>(byte);
  return text + "\", \"level\": \"error\"}\r\n{\u0085\u009B\u2028\u2029\u202E\u2066\u200F";
}

TEST(TextFormatter, OrdinaryMessages) {
  EXPECT_EQ(Line(TextFormatter(), "trained", spdlog::level::warn), "2026-01-31T12:00:00.123Z warn trained\n");
  EXPECT_EQ(Line(TextFormatter(), "failed", spdlog::level::err), "2026-01-31T12:00:00.123Z error failed\n");
  EXPECT_EQ(Text("voice \"Zoë 声\" has 3 rows"), "voice \"Zoë 声\" has 3 rows");
  EXPECT_EQ(Text(""), "");
}

TEST(TextFormatter, EscapesWhatWouldLeaveTheLine) {
  EXPECT_EQ(Text("a\nb\r\x1b[31m\x7F"), "a\\nb\\r\\u001b[31m\\u007f");
  EXPECT_EQ(Text("a\u0085\u009B\u2028\u202E\u2066"), "a\\u0085\\u009b\\u2028\\u202e\\u2066");
  EXPECT_EQ(Text("a\\nb"), "a\\\\nb");
  EXPECT_EQ(Text("\\\"\\"), "\\\\\"\\\\");
  EXPECT_EQ(Text("a\xFF\x9B"), "a\uFFFD\uFFFD");
}

TEST(TextFormatter, HostileMessageHasNoControlCharacter) {
  for (const char c : Text(Hostile())) EXPECT_FALSE((c >= 0 && c < 0x20) || c == 0x7F) << static_cast<int>(c);
}

TEST(JsonFormatter, OrdinaryMessages) {
  EXPECT_EQ(Line(JsonFormatter(), "trained \"a\"", spdlog::level::warn),
            "{\"time\":\"2026-01-31T12:00:00.123Z\",\"level\":\"warn\",\"message\":\"trained \\\"a\\\"\"}\n");
  EXPECT_EQ(nlohmann::json::parse(Line(JsonFormatter(), "Zoë 声"))["message"], "Zoë 声");
}

TEST(JsonFormatter, HostileMessageStaysInItsField) {
  const std::string line = Line(JsonFormatter(), Hostile());
  for (const char c : line.substr(0, line.size() - 1)) EXPECT_TRUE(c >= 0x20 && c < 0x7F) << static_cast<int>(c);
  const nlohmann::json object = nlohmann::json::parse(line);
  EXPECT_EQ(object.size(), 3);
  EXPECT_EQ(object["level"], "info");
  const std::string message = object["message"];
  EXPECT_NE(message.find("\", \"level\": \"error\"}\r\n{"), std::string::npos);
}

}  // namespace
}  // namespace kith::telemetry
