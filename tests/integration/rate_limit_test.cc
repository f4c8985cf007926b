// Limits a second, of clients and of experiments. A rate of one row a second makes 60 rows take a minute to be paid
// for: what comes next is refused however slow the test is. Edges are those of tests/auth/rate_limits_test.cc.
#include <fstream>

#include "common/token/token.h"
#include "common/token/token_file.h"
#include "server/auth/tokens.h"
#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

class RateLimitTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("anna", frames_);
    Train("bert", frames_);
    Stop();
  }
  void TearDown() override { Stop(); }

  auto IsLimited(const std::string& key) {
    return FailsWith(absl::StatusCode::kResourceExhausted, "RATE_LIMITED", key);
  }
  absl::Status SearchAs(Client& client, const std::string& name) { return client.Search(name, View(frames_)).status(); }

  const retrieval::Frames frames_ = SpeechLike(60, 8);
};

TEST_F(RateLimitTest, ACallTooManyIsRefusedAndSaysWhen) {
  options_.limits.client.rows = 1;
  Start();
  EXPECT_TRUE(SearchAs(client(), "anna").ok());
  const absl::Status refused = SearchAs(client(), "bert");
  EXPECT_THAT(refused, IsLimited("limits.client.rows"));
  ASSERT_TRUE(RetryDelay(refused).has_value());
  EXPECT_GT(*RetryDelay(refused), absl::ZeroDuration());
  EXPECT_LE(*RetryDelay(refused), absl::Seconds(60));
  EXPECT_THAT(client().Expand("anna", View(frames_)).status(), IsLimited("limits.client.rows"));
  EXPECT_THAT(client().List().status(), IsLimited("limits.client.rows")) << "who owes rows may call nothing";
}

TEST_F(RateLimitTest, ABlockTooManyCostsThatBlock) {
  options_.limits.client.bytes = 1;
  Start();
  auto stream = client().StreamExpand("anna");
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Write(1, View(frames_)).ok());
  const auto first = (*stream)->Read();
  ASSERT_TRUE(first.ok() && *first) << first.status();
  EXPECT_TRUE((*first)->status.ok()) << (*first)->status;
  ASSERT_TRUE((*stream)->Write(2, View(frames_)).ok());
  const auto second = (*stream)->Read();
  ASSERT_TRUE(second.ok() && *second) << second.status();
  EXPECT_THAT((*second)->status, IsLimited("limits.client.bytes"));
}

TEST_F(RateLimitTest, AnUploadIsTakenAndOwed) {
  options_.limits.client.rows = 1;
  Start();
  Add("anna", frames_);
  EXPECT_THAT(SearchAs(client(), "anna"), IsLimited("limits.client.rows"));
}

TEST_F(RateLimitTest, AnExperimentsClientsShareItsLimit) {
  options_.limits.experiment.rows = 1;
  Start();
  Client other({service().address()});
  EXPECT_TRUE(SearchAs(client(), "anna").ok());
  EXPECT_THAT(SearchAs(other, "anna"), IsLimited("limits.experiment.rows"));
  EXPECT_THAT(Refusal(other.StreamSearch("anna")), IsLimited("limits.experiment.rows"));
  EXPECT_TRUE(SearchAs(other, "bert").ok());
  EXPECT_TRUE(client().List().ok()) << "it is for no experiment";
}

TEST_F(RateLimitTest, StreamsAreCountedWhileTheyAreOpen) {
  options_.limits.client.streams = 2;
  options_.limits.experiment.streams = 1;
  Start();
  auto anna = client().StreamSearch("anna");
  auto bert = client().StreamSearch("bert");
  for (auto* stream : {&anna, &bert}) {
    ASSERT_TRUE((**stream)->Write(1, View(frames_)).ok());
    ASSERT_TRUE((**stream)->Read().ok());
  }
  EXPECT_THAT(Refusal(client().StreamSearch("anna")), IsLimited("limits.client.streams"));
  bert->reset();
  WaitUntil([&] {  // the server hears of the end a little later
    auto stream = client().StreamSearch("bert");
    return stream.ok() && (*stream)->Write(1, View(frames_)).ok() && (*stream)->Read().ok();
  });
  WaitUntil([&] {
    const absl::Status refused = Refusal(client().StreamSearch("anna"));
    return std::string(refused.message()).find("limits.experiment.streams") != std::string::npos;
  });
}

TEST_F(RateLimitTest, AClientIsItsTokenWhereverItCallsFrom) {
  const std::string path = data_dir().string() + ".tokens";
  const auto make = [&] {
    const token::Token token = *token::NewToken();
    EXPECT_TRUE(token::AddEntry(path, {token.id, *token::HashOf(token.secret), token::Scope::kRead, {"*"}, ""}).ok());
    return token::TokenText(token);
  };
  const std::string first = make();
  const std::string second = make();
  const auto tokens = auth::Tokens::Open(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  options_.security.tokens = tokens->get();
  options_.limits.client.rows = 1;
  Start();
  const auto client_with = [&](const std::string& token) {
    ClientOptions options;
    options.target = service().address();
    options.token = token;
    return Client(std::move(options));
  };
  Client one = client_with(first);
  Client again = client_with(first);
  Client other = client_with(second);
  EXPECT_TRUE(SearchAs(one, "anna").ok());
  EXPECT_THAT(SearchAs(again, "anna"), IsLimited("limits.client.rows"));
  EXPECT_TRUE(SearchAs(other, "anna").ok());
  // Who may not call at all hears that, and not of limits.
  EXPECT_THAT(SearchAs(client(), "anna"), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED", ""));
  Stop();
}

}  // namespace
}  // namespace kith::testing
