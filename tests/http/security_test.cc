// Tokens and TLS of the HTTP port.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/token/token.h"
#include "common/token/token_file.h"
#include "server/http/server.h"
#include "tests/http/raw_client.h"
#include "tests/support/certificates.h"

namespace kith::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class SecurityTest : public ::testing::Test {
 protected:
  void UseTokens() {
    auto tokens = auth::Tokens::Open(path_);
    ASSERT_TRUE(tokens.ok()) << tokens.status();
    tokens_ = *std::move(tokens);
    security_.tokens = tokens_.get();
  }
  void UseTls(bool client_certificates) {
    const testing::Identity server = made_.Make("server");
    auto pem = auth::PemFiles::Open({server.cert, server.key, client_certificates ? made_.ca() : ""});
    ASSERT_TRUE(pem.ok()) << pem.status();
    pem_ = *std::move(pem);
    security_.tls = pem_.get();
  }
  void Start(const Limits& limits = {}) {
    auto server = Server::Start("127.0.0.1", 0, {[] { return std::string(100'000, 'm'); }, [] { return true; }, {}},
                                limits, security_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::string NewToken(const std::string& scopes, const std::string& pattern) const {
    const token::Token token = *token::NewToken();
    EXPECT_TRUE(
        token::AddEntry(path_, {token.id, *token::HashOf(token.secret), *token::ParseScopes(scopes), {pattern}, ""})
            .ok());
    return token::TokenText(token);
  }

  // The answer in plain text.
  std::string Ask(const std::string& path, const std::string& token) const {
    const std::string authorization = token.empty() ? "" : "Authorization: Bearer " + token + "\r\n";
    return http::Ask(server_->port(), "GET " + path + " HTTP/1.1\r\nHost: kith\r\n" + authorization + "\r\n");
  }
  // The status by TLS; 0 where there was no connection. `client` may be null.
  int AskByTls(const std::string& path, const testing::Identity* client = nullptr, const std::string& ca = "") const {
    const auto ask = [&](auto&& asker) {
      asker.set_ca_cert_path(ca.empty() ? made_.ca() : ca);
      const auto answer = asker.Get(path);
      return answer ? answer->status : 0;
    };
    const int port = server_->port();
    return client == nullptr ? ask(httplib::SSLClient("localhost", port))
                             : ask(httplib::SSLClient("localhost", port, client->cert, client->key));
  }

  const testing::Certificates made_;
  const std::string path_ = made_.folder() + "/tokens";
  std::unique_ptr<auth::Tokens> tokens_;
  std::unique_ptr<auth::PemFiles> pem_;
  Security security_;
  std::unique_ptr<Server> server_;
};

TEST_F(SecurityTest, MetricsWantATokenAndHealthDoesNot) {
  const std::string reader = NewToken("read", "*");
  const std::string admin = NewToken("admin", "*");
  const std::string admin_of_one = NewToken("admin", "anna");
  const std::string one_voice = NewToken("read", "anna*");
  const std::string writer = NewToken("write", "*");
  UseTokens();
  Start();
  for (const char* path : {"/healthz", "/readyz", "/", "/main.js"})
    EXPECT_THAT(Ask(path, ""), StartsWith("HTTP/1.1 200 ")) << path;
  for (const char* path : {"/metrics", "/api/status", "/no/such/page"}) {
    EXPECT_THAT(Ask(path, ""), AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("WWW-Authenticate: Bearer"))) << path;
    EXPECT_THAT(Ask(path, token::TokenText(*token::NewToken())), StartsWith("HTTP/1.1 401 ")) << path;
    for (const std::string& token : {one_voice, writer, admin_of_one}) {
      EXPECT_THAT(Ask(path, token), StartsWith("HTTP/1.1 403 ")) << path;
    }
  }
  for (const std::string& token : {reader, admin}) {
    EXPECT_THAT(Ask("/metrics", token), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(Ask("/no/such/page", token), StartsWith("HTTP/1.1 404 "));
  }
}

TEST_F(SecurityTest, ServesByTlsOnly) {
  UseTls(false);
  Start();
  EXPECT_EQ(AskByTls("/metrics"), 200);
  const testing::Certificates others;
  EXPECT_EQ(AskByTls("/metrics", nullptr, others.ca()), 0);
  EXPECT_EQ(Get(server_->port(), "/metrics").find("HTTP/1.1 200"), std::string::npos);
  EXPECT_EQ(AskByTls("/metrics"), 200);
}

TEST_F(SecurityTest, WhereClientsNeedACertificateMetricsDoToo) {
  UseTls(true);
  Start();
  const testing::Identity client = made_.Make("client");
  EXPECT_EQ(AskByTls("/metrics", &client), 200);
  EXPECT_EQ(AskByTls("/metrics"), 401);
  EXPECT_EQ(AskByTls("/healthz"), 200);
  const testing::Certificates others;
  const testing::Identity stranger = others.Make("client");
  EXPECT_EQ(AskByTls("/healthz", &stranger), 0);
}

TEST_F(SecurityTest, NewFilesAreForNewConnections) {
  UseTls(false);
  Start();
  const testing::Certificates next;
  const testing::Identity server = next.Make("server");
  for (const char* file : {"server.cert.pem", "server.key.pem"}) {
    std::filesystem::copy_file(next.folder() + "/" + file, made_.folder() + "/" + file,
                               std::filesystem::copy_options::overwrite_existing);
  }
  EXPECT_EQ(AskByTls("/healthz"), 200);
  ASSERT_TRUE(pem_->Reload().ok());
  EXPECT_EQ(AskByTls("/healthz"), 0);
  EXPECT_EQ(AskByTls("/healthz", nullptr, next.ca()), 200);
}

// As in plain text: who connects and says nothing loses its thread to those that wait.
TEST_F(SecurityTest, ASilentClientHoldsNobodyUp) {
  UseTls(false);
  Limits limits;
  limits.threads = 1;
  limits.time = std::chrono::hours(1);
  limits.grace = std::chrono::milliseconds(1);
  Start(limits);
  const RawClient silent(server_->port());
  const RawClient half(server_->port());
  ASSERT_TRUE(half.Send(std::string("\x16\x03\x01\x02", 4)));  // the beginning of a handshake
  EXPECT_EQ(AskByTls("/healthz"), 200);
}

}  // namespace
}  // namespace kith::http
