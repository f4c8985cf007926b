// kith token, and the options for TLS and tokens that all commands have.
#include <gmock/gmock.h>

#include <fstream>

#include "common/token/token.h"
#include "common/token/token_file.h"
#include "tests/cli/app_fixture.h"

namespace kith::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class TokenCommandTest : public ::testing::Test {
 protected:
  Result Token(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "token");
    arguments.insert(arguments.end(), {"--file", file_.c_str()});
    return Kith(std::move(arguments));
  }

  const TemporaryFolder folder_;
  const std::string file_ = folder_.path() + "/tokens";
};

TEST_F(TokenCommandTest, WhatIsPrintedIsTheTokenOfTheFile) {
  const Result created = Token({"create", "--scopes", "read,write", "--experiments", "alice-*"});
  ASSERT_EQ(created.exit_code, kDone) << created.err;
  const auto token = token::ParseToken(created.out.substr(0, created.out.size() - 1));
  ASSERT_TRUE(token) << created.out;
  EXPECT_THAT(created.err, AllOf(HasSubstr(token->id), Not(HasSubstr(token->secret))));
  const auto entries = token::ReadEntries(file_);
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().id, token->id);
  EXPECT_TRUE(token::IsSecretOf(entries->front().hash, token->secret));
  EXPECT_EQ(token::ScopesText(entries->front().scopes), "read,write");
  EXPECT_THAT(entries->front().patterns, ElementsAre("alice-*"));
}

TEST_F(TokenCommandTest, JsonKeys) {
  const Result created =
      Token({"create", "--experiments", "a,b", "--experiments", "c", "--comment", "Bob's", "--json"});
  ASSERT_EQ(created.exit_code, kDone) << created.err;
  EXPECT_THAT(created.keys(), ElementsAre("id", "scopes", "experiments", "comment", "file", "token"));
  EXPECT_THAT(created.err, IsEmpty());
  EXPECT_EQ(created.json()["scopes"], "read");
  EXPECT_THAT(created.json()["experiments"], ElementsAre("a,b", "c"));
  const Result listed = Token({"list", "--json"});
  EXPECT_THAT(listed.keys(), ElementsAre("tokens"));
  EXPECT_EQ(listed.json()["tokens"][0]["comment"], "Bob's");
  EXPECT_EQ(listed.json()["tokens"][0].size(), 4u);
  const Result revoked = Token({"revoke", created.json()["id"].get_ref<const std::string&>().c_str(), "--json"});
  EXPECT_THAT(revoked.keys(), ElementsAre("id", "file"));
}

TEST_F(TokenCommandTest, RevokeTakesTheIdOrTheWholeTokenAndShowsNoSecret) {
  const std::string first = Token({"create", "--experiments", "*", "--json"}).json()["token"];
  const std::string second = Token({"create", "--experiments", "*", "--json"}).json()["token"];
  EXPECT_EQ(Token({"revoke", token::ParseToken(first)->id.c_str()}).exit_code, kDone);
  const Result again = Token({"revoke", first.c_str()});
  EXPECT_EQ(again.exit_code, kFailed);
  EXPECT_THAT(again.err, AllOf(HasSubstr("there is no token"), Not(HasSubstr(token::ParseToken(first)->secret))));
  const Result mistyped = Token({"revoke", (second + "0").c_str()});
  EXPECT_EQ(mistyped.exit_code, kWrongUsage);
  EXPECT_THAT(mistyped.err, Not(HasSubstr(token::ParseToken(second)->secret)));
  EXPECT_EQ(Token({"revoke", second.c_str()}).exit_code, kDone);
  EXPECT_EQ(Token({"list"}).out, "");
}

TEST_F(TokenCommandTest, WrongUsage) {
  for (const std::vector<const char*>& arguments : {std::vector<const char*>{"create"},
                                                    {"create", "--experiments", ""},
                                                    {"create", "--experiments", "*", "--scopes", "all"},
                                                    {"create", "--experiments", "*", "--comment", "two\nlines"},
                                                    {"revoke"},
                                                    {}}) {
    EXPECT_EQ(Token(arguments).exit_code, kWrongUsage);
  }
  EXPECT_EQ(Token({"list"}).exit_code, kFailed) << "there is no file";
}

class SecurityOptionsTest : public AppTest {
 protected:
  std::string WriteFile(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() + "/" + name) << text;
    return folder_.path() + "/" + name;
  }
};

TEST_F(SecurityOptionsTest, TheTokenGoesWithEveryCall) {
  const std::string file = WriteFile("token", "kith_some-token\nnot this\n");
  ASSERT_EQ(Call({"list", "--token-file", file.c_str()}).exit_code, kDone);
  EXPECT_EQ(server_.experiments.authorization(), "Bearer kith_some-token");
  ASSERT_EQ(Call({"list"}).exit_code, kDone);
  EXPECT_EQ(server_.experiments.authorization(), "");
}

TEST_F(SecurityOptionsTest, AFileWithoutATokenIsAWrongUsage) {
  EXPECT_EQ(Call({"list", "--token-file", WriteFile("empty", "\nkith_x\n").c_str()}).exit_code, kWrongUsage);
  EXPECT_EQ(Call({"list", "--token-file", "/no/such/file"}).exit_code, kWrongUsage);
  const Result odd = Call({"list", "--token-file", WriteFile("odd", "a se cret\n").c_str()});
  EXPECT_EQ(odd.exit_code, kWrongUsage);
  EXPECT_THAT(odd.err, AllOf(HasSubstr("no token"), Not(HasSubstr("se cret"))));
}

// The commands that make the file must work before there is one.
TEST_F(SecurityOptionsTest, ThoseThatCallNoServerReadNoToken) {
  const std::string tokens = folder_.path() + "/tokens";
  EXPECT_EQ(Kith({"--token-file", "/no/such/file", "token", "create", "--file", tokens.c_str(), "--experiments", "*"})
                .exit_code,
            kDone);
  EXPECT_EQ(Kith({"--token-file", "/no/such/file", "token", "list", "--file", tokens.c_str()}).exit_code, kDone);
  EXPECT_EQ(Kith({"--token-file", "/no/such/file", "list", "--help"}).exit_code, kDone);
}

TEST_F(SecurityOptionsTest, PemFilesThatCannotBe) {
  const std::string text = WriteFile("text", "hello");
  EXPECT_EQ(Call({"list", "--tls-ca", "/no/such/file"}).exit_code, kWrongUsage);
  const Result no_pem = Call({"list", "--tls-ca", text.c_str()});
  EXPECT_EQ(no_pem.exit_code, kWrongUsage);
  EXPECT_THAT(no_pem.err, AllOf(HasSubstr("--tls-ca"), HasSubstr(text), HasSubstr("no certificate")));
  const Result no_key = Call({"list", "--tls-cert", text.c_str()});
  EXPECT_EQ(no_key.exit_code, kWrongUsage);
  EXPECT_THAT(no_key.err, AllOf(HasSubstr("--tls-cert: "), HasSubstr("a pair"), HasSubstr("--tls-key")));
  const Result no_cert = Call({"list", "--tls-key", text.c_str()});
  EXPECT_EQ(no_cert.exit_code, kWrongUsage);
  EXPECT_THAT(no_cert.err, AllOf(HasSubstr("--tls-key: "), HasSubstr("a pair"), HasSubstr("--tls-cert")));
  const Result neither = Call({"list", "--tls-cert", text.c_str(), "--tls-key", text.c_str()});
  EXPECT_EQ(neither.exit_code, kWrongUsage);
  EXPECT_THAT(neither.err, AllOf(HasSubstr(text), HasSubstr("no certificate")));
}

TEST_F(SecurityOptionsTest, AServerThatIsNoHostAndPort) {
  for (const char* server : {"127.0.0.1:99999", "127.0.0.1:0", "127.0.0.1:http", "127.0.0.1:", ":50051", "::1", ""}) {
    const Result result = Kith({"health", "--server", server});
    EXPECT_EQ(result.exit_code, kWrongUsage) << server;
    EXPECT_THAT(result.err, AllOf(HasSubstr("--server: '"), HasSubstr("is no HOST:PORT"))) << server;
  }
}

TEST_F(SecurityOptionsTest, WarnsOfATokenInPlainTextToAnotherMachine) {
  const std::string file = WriteFile("token", "kith_t0\n");
  const auto err = [&](const char* server) {
    return Kith({"list", "--server", server, "--token-file", file.c_str(), "--timeout", "0.01"}).err;
  };
  EXPECT_THAT(err("192.0.2.1:1"), AllOf(HasSubstr("plain text"), Not(HasSubstr("kith_t0"))));
  for (const char* here : {"127.0.0.1:1", "localhost:1", "[::1]:1", "kith://127.0.0.1:1"}) {
    EXPECT_THAT(err(here), Not(HasSubstr("plain text"))) << here;
  }
}

}  // namespace
}  // namespace kith::cli
