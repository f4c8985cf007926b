#include "common/token/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/ascii.h"
#include "common/token/scopes.h"

namespace kith::token {
namespace {

using ::testing::MatchesRegex;

TEST(Token, TextAndBack) {
  const auto token = NewToken();
  ASSERT_TRUE(token.ok()) << token.status();
  const std::string text = TokenText(*token);
  EXPECT_THAT(text, MatchesRegex("kith_[0-9a-f]{16}_[0-9a-f]{64}"));
  const auto parsed = ParseToken(text);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->id, token->id);
  EXPECT_EQ(parsed->secret, token->secret);
}

TEST(Token, NoTwoAreAlike) {
  const auto a = NewToken();
  const auto b = NewToken();
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE(a->id, b->id);
  EXPECT_NE(a->secret, b->secret);
}

TEST(Token, WhatIsNone) {
  const std::string good = TokenText(*NewToken());
  for (const std::string& bad : {std::string(), std::string("kith_"), good.substr(1), good + "0", good.substr(0, 84),
                                 "kith_" + good.substr(6), std::string(good).replace(30, 1, "G"),
                                 std::string(good).replace(30, 1, "_"), std::string(good).replace(30, 1, 1, '\0')}) {
    EXPECT_FALSE(ParseToken(bad)) << bad;
  }
}

TEST(Token, ATextIsFreedOfSecrets) {
  const Token token = *NewToken();
  const std::string text = TokenText(token);
  const std::string freed = "kith_" + token.id + "_***";
  EXPECT_EQ(WithoutSecrets(text), freed);
  EXPECT_EQ(WithoutSecrets("no '" + text + "', and \"" + text + "\"."), "no '" + freed + "', and \"" + freed + "\".");
  EXPECT_EQ(WithoutSecrets("kith_kith_" + text), "kith_kith_" + freed);
  for (const std::string& damaged :
       {text.substr(0, 60), text + "00", "kith_7_" + token.secret,
        "kith_" + token.id + "_" + absl::AsciiStrToUpper(token.secret), text.substr(0, 40) + "XYZ" + text.substr(43)}) {
    EXPECT_THAT(WithoutSecrets(damaged), MatchesRegex("kith_[0-9a-f]*_\\*\\*\\*")) << damaged;
  }
  for (const std::string& harmless : {std::string(), std::string("kith_"), std::string("kith_block_seconds of kith_a"),
                                      "kith_" + token.id, "the hash " + token.secret}) {
    EXPECT_EQ(WithoutSecrets(harmless), harmless);
  }
}

TEST(SecretHash, KnowsItsSecretOnly) {
  const auto token = NewToken();
  const auto hash = HashOf(token->secret);
  ASSERT_TRUE(hash.ok());
  EXPECT_TRUE(IsSecretOf(*hash, token->secret));
  EXPECT_FALSE(IsSecretOf(*hash, NewToken()->secret));
  EXPECT_FALSE(IsSecretOf({hash->salt, ""}, token->secret));
  EXPECT_NE(HashOf(token->secret)->hash, hash->hash) << "no salt";
}

// As anyone can compute it: printf %s SALT:SECRET | sha256sum.
TEST(SecretHash, IsThatOfSaltAndSecret) {
  EXPECT_TRUE(IsSecretOf(
      {"abababababababababababababababab", "f4e360be3b40f724647773511ea15ab66e72fb6b5fdc9db2e87792010f60a4f9"},
      "secret"));
}

TEST(Scopes, TextAndBack) {
  for (const std::string text : {"read", "read,write", "read,write,admin", "admin"}) {
    const auto scopes = ParseScopes(text);
    ASSERT_TRUE(scopes.ok()) << text;
    EXPECT_EQ(ScopesText(*scopes), text);
  }
  EXPECT_EQ(ScopesText(*ParseScopes("admin,read,read")), "read,admin");
  EXPECT_FALSE(ParseScopes("admin")->Has(Scope::kRead)) << "none implies another";
  for (const std::string bad : {"", "Read", "read,", "read write", "all"}) EXPECT_FALSE(ParseScopes(bad).ok()) << bad;
}

}  // namespace
}  // namespace kith::token
