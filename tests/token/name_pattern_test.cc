#include "common/token/name_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace kith::token {
namespace {

TEST(Matches, StarsQuestionMarksAndTheRest) {
  for (const auto& [pattern, name] :
       {std::pair("*", "anything"), std::pair("*", ""), std::pair("anna", "anna"), std::pair("alice-*", "alice-"),
        std::pair("alice-*", "alice-2 b"), std::pair("*-v2", "anna-v2"), std::pair("a*b*c", "a--b--b--c"),
        std::pair("voice-?", "voice-7"), std::pair("voice-?", "voice-\xc3\xab"), std::pair("**a", "a"),
        std::pair("a?*", "ab"), std::pair("[a]", "[a]")}) {
    EXPECT_TRUE(Matches(pattern, name)) << pattern << " " << name;
  }
  for (const auto& [pattern, name] :
       {std::pair("anna", "Anna"), std::pair("anna", "anna2"), std::pair("anna", "ann"),
        std::pair("alice-*", "malice-1"), std::pair("voice-?", "voice-"), std::pair("voice-?", "voice-12"),
        std::pair("*-v2", "anna-v2b"), std::pair("", "a"), std::pair("a*b*c", "a--c--b"), std::pair("[a]", "a")}) {
    EXPECT_FALSE(Matches(pattern, name)) << pattern << " " << name;
  }
}

// One that goes back for every star would not come to an end.
TEST(Matches, ManyStarsEnd) {
  std::string pattern;
  for (int i = 0; i < 64; ++i) pattern += "*a";
  EXPECT_FALSE(Matches(pattern + "*b", std::string(128, 'a')));
  EXPECT_TRUE(Matches(pattern, std::string(128, 'a')));
}

}  // namespace
}  // namespace kith::token
