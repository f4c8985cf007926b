#include "server/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/status.h"
#include "tests/http/raw_client.h"

namespace kith::http {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Nothing ends by it in a test.
constexpr std::chrono::hours kForEver(1);

class ServerTest : public ::testing::Test {
 protected:
  void Start(const Limits& limits = {}) {
    Pages pages;
    pages.metrics = [this] { return metrics_(); };
    pages.ready = [this] { return ready_.load(); };
    pages.api = api_;
    auto server = Server::Start("127.0.0.1", 0, pages, limits);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  int port() const { return server_->port(); }
  void ExpectServes() const { EXPECT_THAT(Get(port(), "/healthz"), StartsWith("HTTP/1.1 200 ")); }

  std::function<std::string()> metrics_ = [] { return "kith_queue_rows 0\n"; };
  std::atomic<bool> ready_{true};
  decltype(Pages::api) api_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, ShowsTheMetrics) {
  Start();
  EXPECT_THAT(Get(port(), "/metrics"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Type: text/plain; version=0.0.4"),
                    EndsWith("\r\n\r\nkith_queue_rows 0\n")));
  EXPECT_THAT(Get(port(), "/metrics?name[]=kith"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, IsReadyOnlyWhileCallsAreTaken) {
  Start();
  EXPECT_THAT(Get(port(), "/readyz"), StartsWith("HTTP/1.1 200 "));
  ready_ = false;
  EXPECT_THAT(Get(port(), "/readyz"), StartsWith("HTTP/1.1 503 "));
  ExpectServes();
}

TEST_F(ServerTest, WhatThereIsNotIsNotFoundAndNothingCanBeChanged) {
  Start();
  for (const char* path : {"/metrics/", "/index.html/", "/page/index.html", "/api", "/api/status", "/../etc/passwd",
                           "/healthz%00", "//metrics", "*"}) {
    EXPECT_THAT(Get(port(), path), StartsWith("HTTP/1.1 404 ")) << path;
  }
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    EXPECT_THAT(Ask(port(), std::string(method) + " /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD")));
  }
}

TEST_F(ServerTest, ThePageComesWithAllItsFilesAndNothingFromElsewhere) {
  Start();
  const std::string page = Get(port(), "/");
  EXPECT_THAT(page, AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Type: text/html; charset=utf-8\r\n"),
                          HasSubstr("Content-Security-Policy: default-src 'none'; script-src 'self';"),
                          HasSubstr("X-Content-Type-Options: nosniff\r\n"), HasSubstr("<h1>Kith</h1>")));
  EXPECT_EQ(Get(port(), "/index.html"), page);
  const std::pair<const char*, const char*> files[] = {
      {"/main.js", "text/javascript"}, {"/style.css", "text/css"}, {"/icon.svg", "image/svg+xml"}};
  for (const auto& [path, type] : files) {
    EXPECT_THAT(page, HasSubstr("\"" + std::string(path + 1) + "\""));
    EXPECT_THAT(Get(port(), path), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr(std::string("Content-Type: ") + type)));
  }
}

TEST_F(ServerTest, WhatThePageAsksForIsAnsweredInJson) {
  api_ = [](const std::string& what, const std::map<std::string, std::string>& query) -> std::optional<JsonAnswer> {
    if (what != "map") return std::nullopt;
    return JsonAnswer{query.at("voice") == "a & b/ä" ? 200 : 404, "{\"n\": 1}"};
  };
  Start();
  EXPECT_THAT(Get(port(), "/api/map?voice=a+%26%20b%2F%C3%A4"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Type: application/json\r\n"),
                    HasSubstr("Cache-Control: no-store\r\n"), EndsWith("{\"n\": 1}")));
  EXPECT_THAT(Get(port(), "/api/map?voice=b"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Get(port(), "/api/other"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Get(port(), "/api/map"), StartsWith("HTTP/1.1 500 ")) << "an exception";
}

TEST_F(ServerTest, HeadIsAnsweredWithoutThePage) {
  Start();
  EXPECT_THAT(Ask(port(), "HEAD /metrics HTTP/1.1\r\n\r\n"), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\n")));
}

TEST_F(ServerTest, APageComesWholeAndOnceWhateverRangesAreAskedFor) {
  Start();
  for (const char* ranges : {"0-3", "0-,0-,0-,0-", "-1"}) {
    EXPECT_THAT(Ask(port(), std::string("GET /metrics HTTP/1.1\r\nRange: bytes=") + ranges + "\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\nkith_queue_rows 0\n")));
  }
}

TEST_F(ServerTest, APageThatCannotBeMadeIsAnErrorAndTheNextOneIsNot) {
  metrics_ = []() -> std::string { throw std::bad_alloc(); };
  Start();
  EXPECT_THAT(Get(port(), "/metrics"), StartsWith("HTTP/1.1 500 "));
  ExpectServes();
}

TEST_F(ServerTest, WhatIsNoRequestHurtsNobody) {
  Start();
  const std::string many(15'000, '1');
  const std::string line = many.substr(0, 8000);  // httplib takes a line of 8,192
  std::string ranges;
  while (ranges.size() < line.size()) ranges += "0-1,";
  const std::vector<std::string> requests = {
      "\r\n\r\n",
      std::string("\0\xFF\x16\x03\x01", 5),
      "GET\r\n\r\n",
      "GET /metrics\r\n\r\n",
      "GET /metrics HTTP/9.9\r\n\r\n",
      "GET /" + line + " HTTP/1.1\r\n\r\n",
      "GET /?" + line + " HTTP/1.1\r\n\r\n",
      "GET /" + many + " HTTP/1.1\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nHost: " + many + "\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nRange: bytes=" + ranges + "0-1\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nRange: bytes=" + line + "-\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nRange: bytes=9-1,-0,99999999999999999999-\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nno header\r\n: \r\n\r\n",
      "POST /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
      "GET /metrics HTTP/1.1\r\nContent-Length: -1\r\nExpect: 100-continue\r\n\r\n",
      "GET /%" + std::string(100, '%') + "zz%u HTTP/1.1\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
  for (const std::string& bytes : requests) {
    Ask(port(), bytes);
    ExpectServes();
  }
}

TEST_F(ServerTest, ARequestWithoutEndIsCutOff) {
  Limits limits;
  limits.time = limits.grace = kForEver;
  Start(limits);
  const RawClient client(port());
  client.Send("GET /metrics HTTP/1.1\r\n");
  while (client.Send("X: y\r\n")) {
  }
  ExpectServes();
}

TEST_F(ServerTest, AClientThatFallsSilentIsCutOff) {
  Limits limits;
  limits.time = milliseconds(20);
  Start(limits);
  const RawClient client(port());
  EXPECT_EQ(client.Read(), "");
  const RawClient half(port());
  half.Send("GET /metrics HT");
  EXPECT_EQ(half.Read(), "");
}

TEST_F(ServerTest, SilentClientsDoNotKeepOthersWaiting) {
  Limits limits;
  limits.time = kForEver;
  limits.grace = milliseconds(1);
  Start(limits);
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 3 * limits.threads; ++i) {
    silent.push_back(std::make_unique<RawClient>(port()));
    if (i % 2 == 0) silent.back()->Send("GET /metr");
  }
  ExpectServes();
}

TEST_F(ServerTest, ClientsThatDoNotTakeTheirAnswerDoNotKeepOthersWaiting) {
  metrics_ = [] { return std::string(20 << 20, '#'); };
  Limits limits;
  limits.time = kForEver;
  limits.grace = milliseconds(1);
  Start(limits);
  std::vector<std::unique_ptr<RawClient>> stuck;
  for (int i = 0; i < limits.threads; ++i) {
    stuck.push_back(std::make_unique<RawClient>(port(), 4096));
    stuck.back()->Send("GET /metrics HTTP/1.1\r\n\r\n");
  }
  ExpectServes();
}

TEST_F(ServerTest, AnAnswerLargerThanASocketTakesComesWhole) {
  metrics_ = [] { return std::string(20 << 20, '#'); };
  Start();
  const std::string answer = Get(port(), "/metrics");
  EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, 20 << 20);
}

TEST_F(ServerTest, TooManyConnectionsAreClosedAndTheOthersServed) {
  std::promise<void> open;
  std::atomic<int> inside{0};
  metrics_ = [&, gate = open.get_future().share()] {
    ++inside;
    gate.wait();
    return std::string("done");
  };
  Limits limits;
  limits.threads = 1;
  limits.waiting = 1;
  limits.time = kForEver;
  Start(limits);
  const RawClient served(port());
  served.Send("GET /metrics HTTP/1.1\r\n\r\n");
  while (inside == 0) std::this_thread::yield();
  const RawClient waiting(port());
  waiting.Send("GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_EQ(RawClient(port()).Read(), "");
  open.set_value();
  EXPECT_THAT(served.Read(), EndsWith("done"));
  EXPECT_THAT(waiting.Read(), EndsWith("done"));
}

TEST_F(ServerTest, EndsWhileClientsAreConnected) {
  Limits limits;
  limits.time = kForEver;
  Start(limits);
  std::vector<std::unique_ptr<RawClient>> silent;
  silent.reserve(2 * limits.threads);
  for (int i = 0; i < 2 * limits.threads; ++i) silent.push_back(std::make_unique<RawClient>(port()));
  server_.reset();
  for (const auto& client : silent) EXPECT_EQ(client->Read(), "");
}

TEST_F(ServerTest, APortThatIsTakenIsAnError) {
  Start();
  const auto second = Server::Start("127.0.0.1", port(), {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(std::to_string(port())));
  EXPECT_FALSE(Server::Start("no.such.host.invalid", 0, {}).ok());
}

}  // namespace
}  // namespace kith::http
