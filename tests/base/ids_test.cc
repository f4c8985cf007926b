#include "server/base/ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "server/base/status.h"

namespace kith {
namespace {

using ::testing::HasSubstr;

void ExpectBad(const std::string& name, const std::string& message) {
  const absl::Status status = CheckExperimentName(name);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
  EXPECT_EQ(ReasonOf(status), "BAD_PARAMETER") << name;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message)) << name;
}

TEST(CheckExperimentName, Good) {
  for (const std::string& name : {std::string("a"), std::string("voice a"), std::string("声"), std::string("Zoë"),
                                  std::string(".."), std::string("\u00A0"), std::string("\uD7FF\uE000"),
                                  std::string("\U0001F3A4"), std::string("\U0010FFFF"), std::string(128, 'x')}) {
    EXPECT_TRUE(CheckExperimentName(name).ok()) << name;
  }
}

TEST(CheckExperimentName, Length) {
  ExpectBad("", "missing");
  ExpectBad(std::string(129, 'x'), "129 bytes");
  std::string wide;
  for (int i = 0; i < 43; ++i) wide += "声";
  ExpectBad(wide, "129 bytes");
}

TEST(CheckExperimentName, SlashAndControlCharacters) {
  ExpectBad("a/b", "'/'");
  ExpectBad("/", "'/'");
  for (int c = 0; c < 0x20; ++c) ExpectBad(std::string("a") + static_cast<char>(c), "control character");
  ExpectBad("\x7F", "control character");
  ExpectBad("\u0080", "control character");
  ExpectBad("\u009F", "control character");
}

TEST(CheckExperimentName, WhatIsNotUtf8) {
  for (const std::string name : {"\x80", "\xBF", "\xFF", "\xFE", "a\xC3", "\xC3(", "\xE5\xA3", "\xF0\x9F\x8E",
                                 "\xC0\xAF", "\xC1\xBF", "\xE0\x80\xAF", "\xF0\x80\x80\xAF", "\xED\xA0\x80",
                                 "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80"}) {
    ExpectBad(name, "not valid UTF-8");
  }
}

TEST(RandomId, IsHexAndNeverTheSame) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = RandomId();
    EXPECT_EQ(id.size(), 32);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << id;
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000);
}

}  // namespace
}  // namespace kith
