#include "server/auth/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/token/token.h"
#include "common/token/token_file.h"
#include "server/base/status.h"

namespace kith::auth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using token::Scope;

class TokensTest : public ::testing::Test {
 protected:
  TokensTest() {
    std::string name = ::testing::TempDir() + "kith-auth.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) abort();
    folder_ = name;
    path_ = name + "/tokens";
    std::ofstream(path_) << "";
  }
  ~TokensTest() override { std::filesystem::remove_all(folder_); }

  // A token in the file: what to send for it.
  std::string Make(token::Scopes scopes, const std::vector<std::string>& patterns = {"*"}) {
    const token::Token token = *token::NewToken();
    EXPECT_TRUE(token::AddEntry(path_, {token.id, *token::HashOf(token.secret), scopes, patterns, ""}).ok());
    return "Bearer " + token::TokenText(token);
  }
  std::unique_ptr<Tokens> Open() {
    auto tokens = Tokens::Open(path_);
    EXPECT_TRUE(tokens.ok()) << tokens.status();
    return *std::move(tokens);
  }
  static std::string IdOf(const std::string& authorization) { return token::ParseToken(authorization.substr(7))->id; }

  std::string folder_;
  std::string path_;
};

std::string Reason(const absl::Status& status) { return ReasonOf(status); }

TEST_F(TokensTest, FindsAToken) {
  const std::string mine = Make(Scope::kRead);
  Make(Scope::kAdmin);
  const auto tokens = Open();
  for (const std::string& sent : {mine, "bearer " + mine.substr(7), "BEARER  " + mine.substr(7) + " "}) {
    const auto grant = tokens->Find(sent);
    ASSERT_TRUE(grant.ok()) << grant.status();
    EXPECT_EQ((*grant)->id(), IdOf(mine));
  }
}

TEST_F(TokensTest, AWrongSecretAndAnUnknownIdAreOneError) {
  const std::string mine = Make(Scope::kRead);
  const auto tokens = Open();
  const std::string other = "Bearer " + token::TokenText({IdOf(mine), token::NewToken()->secret});
  const std::string unknown = "Bearer " + token::TokenText(*token::NewToken());
  const absl::Status wrong = tokens->Find(other).status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Reason(wrong), "UNAUTHENTICATED");
  EXPECT_EQ(tokens->Find(unknown).status(), wrong);
  EXPECT_EQ(tokens->Find("Bearer nonsense").status(), wrong);
  EXPECT_THAT(std::string(wrong.message()), AllOf(Not(HasSubstr(IdOf(mine))), Not(HasSubstr("kith_"))));
}

TEST_F(TokensTest, WithoutATokenItIsSaidHowToGiveOne) {
  const auto tokens = Open();
  for (const std::string sent : {"", "Basic YTpi", "Bearer"}) {
    const absl::Status status = tokens->Find(sent).status();
    EXPECT_EQ(Reason(status), "UNAUTHENTICATED");
    EXPECT_THAT(std::string(status.message()), HasSubstr("--token-file")) << sent;
  }
}

TEST(Grant, IsForItsScopesAndNames) {
  const Grant grant("0123456789abcdef", *token::ParseScopes("read,admin"), {"alice-*", "demo"});
  EXPECT_TRUE(grant.Allow(Scope::kRead, Subject::kExperiment).ok());
  EXPECT_TRUE(grant.Allow(Scope::kRead, Subject::kListed).ok());
  EXPECT_TRUE(grant.Allow(Scope::kAdmin, Subject::kExperiment).ok());
  EXPECT_EQ(Reason(grant.Allow(Scope::kWrite, Subject::kExperiment)), "PERMISSION_DENIED");
  EXPECT_EQ(Reason(grant.Allow(Scope::kAdmin, Subject::kServer)), "PERMISSION_DENIED") << "it is not for all";
  for (const char* name : {"alice-1", "demo"}) EXPECT_TRUE(grant.AllowName(name).ok()) << name;
  for (const char* name : {"bob", "demo2", "", "*"}) {
    EXPECT_EQ(Reason(grant.AllowName(name)), "PERMISSION_DENIED") << name;
    EXPECT_EQ(grant.AllowName(name), grant.AllowName("another")) << "the message tells the names apart";
  }
}

TEST(Grant, ForAllIsForTheServerToo) {
  const Grant grant("0123456789abcdef", Scope::kAdmin, {"anna", "*"});
  EXPECT_TRUE(grant.Allow(Scope::kAdmin, Subject::kServer).ok());
  EXPECT_TRUE(grant.AllowName("whatever").ok());
}

TEST_F(TokensTest, ARevokedTokenEndsAtTheReload) {
  const std::string mine = Make(Scope::kRead);
  const std::string others = Make(Scope::kRead);
  const auto tokens = Open();
  const auto grant = *tokens->Find(mine);
  const auto kept = *tokens->Find(others);
  EXPECT_TRUE(grant->Check().ok());
  ASSERT_TRUE(token::RemoveEntry(path_, IdOf(mine)).ok());
  ASSERT_TRUE(tokens->Reload().ok());
  EXPECT_EQ(Reason(tokens->Find(mine).status()), "UNAUTHENTICATED");
  EXPECT_EQ(Reason(grant->Check()), "UNAUTHENTICATED") << "a call that was let in by it goes on";
  EXPECT_TRUE(kept->Check().ok());
  EXPECT_EQ(*tokens->Find(others), kept);
}

TEST_F(TokensTest, WhatATokenIsForMayChange) {
  const std::string mine = Make(Scope::kRead, {"anna"});
  const auto tokens = Open();
  const auto before = *tokens->Find(mine);
  token::Entry entry = token::ReadEntries(path_)->front();
  entry.patterns = {"bert"};
  std::ofstream(path_) << token::EntryLine(entry);
  ASSERT_TRUE(tokens->Reload().ok());
  EXPECT_FALSE(before->Check().ok());
  EXPECT_TRUE((*tokens->Find(mine))->AllowName("bert").ok());
  EXPECT_FALSE((*tokens->Find(mine))->AllowName("anna").ok());
}

TEST_F(TokensTest, AFileThatIsDamagedLeavesWhatWasThere) {
  const std::string mine = Make(Scope::kRead);
  const auto tokens = Open();
  std::ofstream(path_) << "nonsense\n";
  EXPECT_THAT(std::string(tokens->Reload().message()), HasSubstr(path_ + ":1: "));
  EXPECT_TRUE(tokens->Find(mine).ok());
  std::filesystem::remove(path_);
  EXPECT_FALSE(tokens->Reload().ok());
  EXPECT_TRUE(tokens->Find(mine).ok());
  EXPECT_FALSE(Tokens::Open(path_).ok());
}

}  // namespace
}  // namespace kith::auth
