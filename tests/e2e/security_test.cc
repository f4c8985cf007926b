// Tokens and TLS with the real programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "client/cli/speech_like.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "common/token/token.h"
#include "tests/e2e/fixture.h"
#include "tests/http/raw_client.h"
#include "tests/support/certificates.h"
#include "tests/support/wait_until.h"

namespace kith::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class SecurityTest : public EndToEnd {
 protected:
  std::string WriteConfig(const std::string& text) const {
    std::ofstream(Path("kithd.yaml")) << text;
    return Path("kithd.yaml");
  }
  void StartWith(const std::string& config, const std::string& listen = "127.0.0.1:0") {
    StartServer(listen, {{"--config", WriteConfig(config)}, {}, {}, {}});
  }
  Finished CheckConfig(const std::vector<std::string>& arguments, const ProcessOptions& options = {}) const {
    std::vector<std::string> all = {"--check-config"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return RunProgram(Kithd(), all, options);
  }

  // Makes a token: the file with its text.
  std::string NewToken(const std::string& name, const std::string& scopes, const std::string& experiments = "*") {
    const Finished made = RunProgram(
        KithClient(), {"token", "create", "--file", tokens_, "--scopes", scopes, "--experiments", experiments});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    std::ofstream(Path(name)) << made.out;
    return Path(name);
  }
  static std::string SecretOf(const std::string& file) {
    const std::string text = ReadFile(file);
    return token::ParseToken(text.substr(0, text.size() - 1))->secret;
  }
  void Revoke(const std::string& file) const {
    std::string text = ReadFile(file);
    text.pop_back();
    const Finished revoked = RunProgram(KithClient(), {"token", "revoke", "--file", tokens_, text});
    ASSERT_EQ(revoked.exit_code, 0) << revoked.err;
  }
  Finished KithWith(const std::string& token, std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--token-file", token});
    return Kith(arguments);
  }

  std::string TokensConfig() const { return "auth:\n  tokens: " + tokens_ + "\n"; }
  static std::string TlsConfig(const testing::Identity& server, const std::string& client_ca = "") {
    return "tls:\n  cert: " + server.cert + "\n  key: " + server.key + "\n  client_ca: \"" + client_ca + "\"\n";
  }

  const testing::Certificates made_;
  const std::string tokens_ = Path("tokens");
};

TEST_F(SecurityTest, APublicAddressWantsProtectionOrAWord) {
  const Finished refused = CheckConfig({"--listen", "0.0.0.0:0"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("insecure: true"), HasSubstr("KITH_INSECURE=true")));
  EXPECT_EQ(RunProgram(Kithd(), {"--listen", "0.0.0.0:0", "--data-dir", data_dir()}).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(data_dir()));
  EXPECT_EQ(CheckConfig({"--listen", "0.0.0.0:0"}, {{}, {}, {"KITH_INSECURE=true"}, {}}).exit_code, 0);
  EXPECT_EQ(CheckConfig({"--listen", "0.0.0.0:0"}, {{}, {}, {"KITH_INSECURE=false"}, {}}).exit_code, 2);
  EXPECT_EQ(CheckConfig({"--listen", "0.0.0.0:0", "--config", WriteConfig("insecure: true\n")}).exit_code, 0);
  NewToken("t", "read");
  EXPECT_EQ(CheckConfig({"--listen", "0.0.0.0:0", "--config", WriteConfig(TokensConfig())}).exit_code, 0);
}

TEST_F(SecurityTest, AFileWithoutTokensLetsNobodyInAndSaysSo) {
  std::ofstream(tokens_) << "";
  const std::string config = WriteConfig(TokensConfig());
  const Finished checked = CheckConfig({"--listen", "0.0.0.0:0", "--config", config});
  EXPECT_EQ(checked.exit_code, 0);
  EXPECT_THAT(checked.err, AllOf(HasSubstr("warning: auth.tokens"), HasSubstr(tokens_), HasSubstr("nobody can call")));
  StartWith(TokensConfig());
  EXPECT_EQ(StopServer(SIGTERM), 0);
  EXPECT_THAT(server_->err(), HasSubstr("nobody can call"));
  NewToken("t", "read");
  EXPECT_EQ(CheckConfig({"--config", config}).err, "");
}

TEST_F(SecurityTest, TheLogSaysWhoCanReachIt) {
  StartServer();
  EXPECT_EQ(StopServer(SIGTERM), 0);
  EXPECT_THAT(server_->err(), HasSubstr("listening on this machine's loopback only"));
}

TEST_F(SecurityTest, WhatCannotBeReadIsFoundByCheckConfigToo) {
  const testing::Identity server = made_.Make("server");
  const testing::Identity other = made_.Make("other");
  std::ofstream(tokens_) << "nonsense\n";
  for (const auto& [config, text] :
       std::vector<std::pair<std::string, std::string>>{{TokensConfig(), tokens_ + ":1: "},
                                                        {"auth: {tokens: /no/such/file}\n", "/no/such/file"},
                                                        {TlsConfig({server.cert, other.key}), "is not the key"},
                                                        {TlsConfig({tokens_, server.key}), "no certificate"},
                                                        {TlsConfig(server, "/no/such/ca"), "tls.client_ca"}}) {
    const Finished checked = CheckConfig({"--config", WriteConfig(config)});
    EXPECT_EQ(checked.exit_code, 2) << config;
    EXPECT_THAT(checked.err, HasSubstr(text));
    EXPECT_EQ(RunProgram(Kithd(), {"--config", Path("kithd.yaml"), "--data-dir", data_dir()}).exit_code, 2) << config;
  }
  EXPECT_EQ(CheckConfig({"--config", WriteConfig(TlsConfig(server, made_.ca()))}).exit_code, 0);
}

TEST_F(SecurityTest, TokensOpenTheDoorAndRevokingClosesIt) {
  const std::string all = NewToken("all", "read,write");
  const std::string reader = NewToken("reader", "read", "alice-*");
  StartWith(TokensConfig());
  const std::string frames = GenerateFrames(100);
  EXPECT_EQ(Kith({"health"}).exit_code, 0);
  const Finished without = Kith({"list"});
  EXPECT_EQ(without.exit_code, 1);
  EXPECT_THAT(without.err, HasSubstr("--token-file"));
  ASSERT_EQ(KithWith(all, {"train", "alice-1", frames}).exit_code, 0);
  ASSERT_EQ(KithWith(all, {"train", "bob", frames}).exit_code, 0);
  EXPECT_EQ(KithWith(reader, {"show", "alice-1"}).exit_code, 0);
  EXPECT_EQ(KithWith(reader, {"--request-id", "the-same", "show", "bob"}).err,
            KithWith(reader, {"--request-id", "the-same", "show", "nobody"}).err);
  EXPECT_THAT(KithWith(reader, {"list"}).out, AllOf(HasSubstr("alice-1"), Not(HasSubstr("bob"))));
  EXPECT_EQ(KithWith(reader, {"delete", "alice-1"}).exit_code, 1);
  // A token that is made while the server runs is good soon, one that is revoked is not any more.
  const std::string late = NewToken("late", "read");
  testing::WaitUntil([&] { return KithWith(late, {"show", "bob"}).exit_code == 0; });
  Revoke(reader);
  testing::WaitUntil([&] { return KithWith(reader, {"show", "alice-1"}).exit_code == 1; });
  EXPECT_EQ(KithWith(late, {"show", "bob"}).exit_code, 0);
  EXPECT_EQ(StopServer(SIGTERM), 0);
  for (const std::string& file : {all, reader, late}) EXPECT_THAT(server_->err(), Not(HasSubstr(SecretOf(file))));
}

// At the level that tells most, whatever clients do with their tokens.
TEST_F(SecurityTest, NoSecretIsLogged) {
  const std::string admin = NewToken("admin", "read,write,admin");
  const std::string reader = NewToken("reader", "read", "alice-*");
  const std::string good = *ReadTokenFile(admin);
  const std::string limited = *ReadTokenFile(reader);
  const token::Token known = *token::ParseToken(good);
  const std::string wrong = token::TokenText({known.id, token::NewToken()->secret});
  const std::string unknown = token::TokenText(*token::NewToken());
  const std::string cut = token::TokenText(*token::NewToken()).substr(0, 80);
  const std::vector<std::string> all = {good, limited, wrong, unknown, cut};
  StartWith("log: {level: trace}\nhttp: {listen: \"127.0.0.1:0\"}\n" + TokensConfig());
  ASSERT_EQ(KithWith(admin, {"train", "alice-1", GenerateFrames(100), "--request-id", good}).exit_code, 0);
  const std::string announced = "metrics on http://127.0.0.1:";
  testing::WaitUntil([&] { return server_->err().find(announced) != std::string::npos; });
  const int port = std::stoi(server_->err().substr(server_->err().find(announced) + announced.size()));
  for (const std::string& token : all) {
    std::ofstream(Path("sent")) << token;
    (void)KithWith(Path("sent"), {"show", "alice-1", "--request-id", token});
    (void)KithWith(Path("sent"), {"delete", "bob"});
    (void)KithWith(Path("sent"), {"log-level", "trace"});
    (void)KithWith(admin, {"show", token, "--request-id", token});
    (void)KithWith(admin, {"search", token, GenerateFrames(10)});
    for (const std::string& value : {"Bearer " + token, "Basic " + token, token, "Bearer \"" + token + "\""}) {
      for (const char* path : {"/metrics", "/api/status", "/no/such/page"}) {
        const std::string request = std::string("GET ") + path + "?token=" + token + " HTTP/1.1\r\nHost: kith\r\n";
        (void)http::Ask(port, request + "Authorization: " + value + "\r\n\r\n");
      }
    }
  }
  EXPECT_EQ(StopServer(SIGTERM), 0);
  const std::string log = server_->err();
  EXPECT_THAT(log, HasSubstr("kith_" + known.id + "_***")) << "the calls above have left lines";
  for (const std::string& token : all) {
    const std::string secret = token.substr(22);  // behind the id
    EXPECT_THAT(log, Not(HasSubstr(secret.substr(0, 16)))) << token;
    EXPECT_THAT(log, Not(HasSubstr(secret.substr(secret.size() - 16)))) << token;
  }
}

TEST_F(SecurityTest, ADamagedTokenFileLeavesTheTokensOfBefore) {
  const std::string token = NewToken("t", "read");
  StartWith(TokensConfig());
  std::ofstream(tokens_) << "nonsense\n";
  testing::WaitUntil([&] { return server_->err().find("stay in use") != std::string::npos; });
  EXPECT_EQ(KithWith(token, {"list"}).exit_code, 0);
}

TEST_F(SecurityTest, TlsEncryptsAndBothSidesAreSureOfEachOther) {
  StartWith(TlsConfig(made_.Make("server")));
  const testing::Certificates others;
  EXPECT_EQ(Kith({"health", "--tls-ca", made_.ca()}).exit_code, 0);
  EXPECT_EQ(Kith({"health"}, {{}, {}, {"KITH_TLS_CA=" + made_.ca()}, {}}).exit_code, 0);
  const Finished in_plain_text = Kith({"health"});
  EXPECT_EQ(in_plain_text.exit_code, 3);
  EXPECT_THAT(in_plain_text.err, AllOf(HasSubstr("--tls-ca"), Not(HasSubstr("Start it with"))));
  const Finished stranger = Kith({"health", "--tls-ca", others.ca()});
  EXPECT_EQ(stranger.exit_code, 3) << "a server whose authority the client does not know";
  EXPECT_THAT(stranger.err, HasSubstr("authority"));
  EXPECT_EQ(StopServer(SIGTERM), 0);
  EXPECT_THAT(server_->err(), Not(HasSubstr("Handshake"))) << "clients that do not get in fill the log";
}

TEST_F(SecurityTest, MutualTlsLetsInWhoHasACertificate) {
  StartWith(TlsConfig(made_.Make("server"), made_.ca()));
  const testing::Certificates others;
  const auto health = [&](const testing::Identity& client) {
    return Kith({"health", "--tls-ca", made_.ca(), "--tls-cert", client.cert, "--tls-key", client.key}).exit_code;
  };
  EXPECT_EQ(health(made_.Make("client")), 0);
  const Finished without = Kith({"health", "--tls-ca", made_.ca()});
  EXPECT_EQ(without.exit_code, 3);
  EXPECT_THAT(without.err, HasSubstr("--tls-cert")) << "without a certificate";
  EXPECT_EQ(health(others.Make("client")), 3) << "one of another authority";
  EXPECT_EQ(health(made_.Make("old", testing::Certificates::kExpired)), 3) << "one that has expired";
}

// One line of kith's own, without what gRPC logs.
TEST_F(SecurityTest, WhyAServerIsNotReachedIsTold) {
  const auto told = [&](const std::vector<std::string>& options, int exit_code) {
    std::vector<std::string> arguments = {"health"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Finished finished = RunProgram(KithClient(), arguments);
    EXPECT_EQ(finished.exit_code, exit_code) << finished.err;
    EXPECT_EQ(finished.err.rfind("kith: ", 0), 0u) << finished.err;
    EXPECT_THAT(finished.err, Not(HasSubstr("grpc")));
    return finished.err;
  };
  const testing::Identity one = made_.Make("one");
  const testing::Identity other = made_.Make("other");
  EXPECT_THAT(
      told({"--tls-ca", made_.ca(), "--tls-cert", one.cert, "--tls-key", other.key}, 2),
      AllOf(HasSubstr("--tls-key"), HasSubstr(other.key + ": is not the key of the certificate in " + one.cert)));
  EXPECT_THAT(told({"--server", "no-such-host.invalid"}, 3),
              AllOf(HasSubstr("does not resolve"), Not(HasSubstr("Start it with"))));
  StartServer();
  EXPECT_THAT(told({"--server", address_, "--tls-ca", made_.ca()}, 3), HasSubstr("speaks no TLS"));
  EXPECT_EQ(StopServer(SIGTERM), 0);
  EXPECT_THAT(told({"--server", address_}, 3),
              AllOf(HasSubstr("Connection refused"), HasSubstr("Start it with: kithd --listen " + address_)));
}

TEST_F(SecurityTest, AStreamWithClientsThatAreRefusedHasFailed) {
  StartWith("limits: {client: {streams: 2}}\n");
  const std::string frames = GenerateFrames(100);
  ASSERT_EQ(Kith({"train", "anna", frames}).exit_code, 0);
  const Finished some = Kith({"stream", "anna", frames, "--seconds", "1", "--clients", "4", "--json"});
  EXPECT_EQ(some.exit_code, 1) << some.err;
  EXPECT_THAT(some.err, AllOf(HasSubstr("2 of 4 clients were refused"), HasSubstr("limits.client.streams")));
  EXPECT_GT(LastJson(some.out)["bypassed"], 0);
  EXPECT_EQ(Kith({"stream", "anna", frames, "--seconds", "1", "--clients", "2"}).exit_code, 0);
}

TEST_F(SecurityTest, AnExpiredServerIsNotTrusted) {
  StartWith(TlsConfig(made_.Make("server", testing::Certificates::kExpired)));
  EXPECT_EQ(Kith({"health", "--tls-ca", made_.ca()}).exit_code, 3);
  EXPECT_EQ(StopServer(SIGTERM), 0);
  EXPECT_THAT(server_->err(), HasSubstr("clients refuse it"));
}

TEST_F(SecurityTest, ChangedFilesAreTakenWithoutARestartAndOpenStreamsStay) {
  const std::string token = NewToken("t", "read,write");
  const testing::Identity server = made_.Make("server");
  StartWith(TlsConfig(server) + TokensConfig());
  ASSERT_EQ(KithWith(token, {"train", "anna", GenerateFrames(100), "--tls-ca", made_.ca()}).exit_code, 0);
  ClientOptions options;
  options.target = address_;
  options.tls.ca = made_.ca();
  options.token = *ReadTokenFile(token);
  Client client(options);
  auto stream = client.StreamExpand("anna");
  const std::vector<float> block = cli::SpeechLike(32, 1).Next(4);
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Write(1, FramesView(block, 32)).ok());
  ASSERT_TRUE((*stream)->Read().ok());

  // Another authority's: only clients that know that one come in now.
  const testing::Certificates next;
  const testing::Identity replaced = next.Make("server");
  std::filesystem::copy_file(replaced.cert, server.cert, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(replaced.key, server.key, std::filesystem::copy_options::overwrite_existing);
  testing::WaitUntil([&] { return Kith({"health", "--tls-ca", next.ca()}).exit_code == 0; });
  EXPECT_EQ(Kith({"health", "--tls-ca", made_.ca()}).exit_code, 3);
  ASSERT_TRUE((*stream)->Write(2, FramesView(block, 32)).ok());
  EXPECT_TRUE((*stream)->Read().ok());

  // What is no certificate changes nothing.
  std::ofstream(server.cert) << "nonsense\n";
  testing::WaitUntil([&] { return server_->err().find("stays in use") != std::string::npos; });
  EXPECT_EQ(Kith({"health", "--tls-ca", next.ca()}).exit_code, 0);
}

}  // namespace
}  // namespace kith::e2e
