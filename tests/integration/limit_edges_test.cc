// The edges of what a client, and all clients of an experiment together, may send a second, over the wire.
//
// Buckets fill while a test runs, so that on a slow machine more may pass than at once; never more than came in within
// the time that the test itself saw go by, and never fewer than a full bucket holds. Both are asserted.
#include <fstream>

#include "common/token/token.h"
#include "common/token/token_file.h"
#include "server/auth/tokens.h"
#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

using absl::StatusCode;

enum class Whose { kClient, kExperiment };

class LimitEdgesTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    for (const char* name : {"anna", "bert"}) Train(name, SpeechLike(60, 8));
    Stop();
    const std::string path = data_dir().string() + ".tokens";
    for (std::string* text : {&first_, &second_}) {
      const token::Token token = *token::NewToken();
      *text = token::TokenText(token);
      ASSERT_TRUE(token::AddEntry(path, {token.id, *token::HashOf(token.secret), token::Scope::kRead, {"*"}, ""}).ok());
    }
    auto tokens = auth::Tokens::Open(path);
    std::filesystem::remove(path);
    ASSERT_TRUE(tokens.ok()) << tokens.status();
    tokens_ = *std::move(tokens);
    options_.security.tokens = tokens_.get();
  }
  void TearDown() override { Stop(); }

  std::unique_ptr<Client> ClientWith(const std::string& token) {
    ClientOptions options;
    options.target = service().address();
    options.token = token;
    return std::make_unique<Client>(options);
  }

  config::Rates& RatesOf(Whose whose) {
    return whose == Whose::kClient ? options_.limits.client : options_.limits.experiment;
  }
  // Who is another one: another client with the same experiment, or the same client with another experiment.
  std::string OtherToken(Whose whose) const { return whose == Whose::kClient ? second_ : first_; }
  static std::string OtherName(Whose whose) { return whose == Whose::kClient ? "anna" : "bert"; }

  std::string first_;
  std::string second_;
  std::unique_ptr<auth::Tokens> tokens_;
};

struct RateCase {
  Whose whose;
  const char* what;
  int64_t config::Rates::*rate;
};

std::string KeyOf(Whose whose, const std::string& what) {
  return std::string(whose == Whose::kClient ? "limits.client." : "limits.experiment.") + what;
}

class RateEdgeTest : public LimitEdgesTest, public ::testing::WithParamInterface<RateCase> {
 protected:
  static constexpr int kRows = 3;

  absl::Status Call(const std::string& token, const std::string& name) {
    v1::SearchRequest request = RequestFor(name);
    v1::SearchResponse response;
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    return ToStatus(retrieval().Search(&context, request, &response));
  }
  static v1::SearchRequest RequestFor(const std::string& name) {
    v1::SearchRequest request;
    request.set_experiment(name);
    FillRaw(SpeechLike(kRows, 8), request.mutable_frames());
    return request;
  }
  // Of one call, in what the limit counts.
  static int64_t CostOfOne() {
    const std::string what = GetParam().what;
    if (what == "requests") return 1;
    return what == "rows" ? kRows : static_cast<int64_t>(RequestFor("anna").ByteSizeLong());
  }
};

TEST_P(RateEdgeTest, AtTheLimitPassesAndTheNextIsRefused) {
  constexpr int kCalls = 8;
  const auto& [whose, what, member] = GetParam();
  const int64_t rate = kCalls * CostOfOne();
  RatesOf(whose).*member = rate;
  Start();
  ASSERT_EQ(Call(second_, "carl").code(), StatusCode::kNotFound) << "connects, so that this takes no time below";

  absl::Status refused;
  int passed = 0;
  const TimePoint start = Clock::now();
  WaitUntil([&] {
    refused = Call(first_, "anna");
    if (refused.ok()) ++passed;
    return !refused.ok();
  });
  const double seconds = SecondsSince(start);
  EXPECT_GE(passed, kCalls) << "refused within the limit: " << refused;
  EXPECT_LE(static_cast<double>(passed * CostOfOne()), static_cast<double>(rate) * (1 + seconds)) << seconds << " s";
  EXPECT_THAT(refused, FailsWith(StatusCode::kResourceExhausted, "RATE_LIMITED", KeyOf(whose, what)));
  ASSERT_TRUE(RetryDelay(refused).has_value());
  EXPECT_LE(*RetryDelay(refused), absl::Seconds(1));
  const absl::Status other = Call(OtherToken(whose), OtherName(whose));
  EXPECT_TRUE(other.ok()) << other;
  WaitUntil([&] { return Call(first_, "anna").ok(); });  // the bucket fills
}

INSTANTIATE_TEST_SUITE_P(Edges, RateEdgeTest,
                         ::testing::Values(RateCase{Whose::kClient, "requests", &config::Rates::requests},
                                           RateCase{Whose::kClient, "rows", &config::Rates::rows},
                                           RateCase{Whose::kClient, "bytes", &config::Rates::bytes},
                                           RateCase{Whose::kExperiment, "requests", &config::Rates::requests},
                                           RateCase{Whose::kExperiment, "rows", &config::Rates::rows},
                                           RateCase{Whose::kExperiment, "bytes", &config::Rates::bytes}),
                         [](const auto& info) {
                           return std::string(info.param.whose == Whose::kClient ? "client_" : "experiment_") +
                                  info.param.what;
                         });

// One row goes through each stream before it counts as open.
class StreamEdgeTest : public LimitEdgesTest, public ::testing::WithParamInterface<Whose> {
 protected:
  using Stream = std::unique_ptr<SearchStream>;

  // A stream that answered, or why it did not.
  static absl::StatusOr<Stream> Open(Client& client, const std::string& name) {
    auto stream = client.StreamSearch(name);
    if (!stream.ok()) return stream.status();
    (void)(*stream)->Write(1, View(SpeechLike(1, 8)));  // a refusal comes with the answer
    auto answer = (*stream)->Read();
    if (!answer.ok()) return answer.status();
    if (!answer->has_value()) return absl::InternalError("it ended");
    return *std::move(stream);
  }
};

TEST_P(StreamEdgeTest, AsManyAsMayBeAndNotOneMore) {
  RatesOf(GetParam()).streams = 3;
  Start();
  const auto client = ClientWith(first_);
  std::vector<Stream> open;
  for (int i = 0; i < 3; ++i) {
    auto stream = Open(*client, "anna");
    ASSERT_TRUE(stream.ok()) << i << ": " << stream.status();
    open.push_back(*std::move(stream));
  }
  const auto limited = FailsWith(StatusCode::kResourceExhausted, "RATE_LIMITED", KeyOf(GetParam(), "streams"));
  EXPECT_THAT(Open(*client, "anna").status(), limited);
  const auto another = ClientWith(OtherToken(GetParam()));
  const auto other = Open(*another, OtherName(GetParam()));
  EXPECT_TRUE(other.ok()) << other.status();
  open.pop_back();
  WaitUntil([&] {  // the server hears of the end a little later
    auto stream = Open(*client, "anna");
    if (!stream.ok()) return false;
    open.push_back(*std::move(stream));
    return true;
  });
  EXPECT_THAT(Open(*client, "anna").status(), limited) << "the place was given twice";
}

INSTANTIATE_TEST_SUITE_P(Edges, StreamEdgeTest, ::testing::Values(Whose::kClient, Whose::kExperiment),
                         [](const auto& info) {
                           return std::string(info.param == Whose::kClient ? "client" : "experiment");
                         });

class MessageEdgeTest : public LimitEdgesTest {
 protected:
  static constexpr int kBytes = 65536;

  absl::Status SearchOf(size_t bytes) {
    v1::SearchRequest request;
    request.set_experiment("anna");
    FillRaw(SpeechLike(2000, 8), request.mutable_frames());
    // What no server knows makes it as long as it is to be, to the byte.
    auto* const unknown = request.GetReflection()->MutableUnknownFields(&request);
    const size_t before = request.ByteSizeLong() + 4;  // with the padding's tag and length, of two bytes each
    unknown->AddLengthDelimited(1000, std::string(bytes - before, 'x'));
    EXPECT_EQ(request.ByteSizeLong(), bytes);
    v1::SearchResponse response;
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + first_);
    return ToStatus(retrieval().Search(&context, request, &response));
  }
};

TEST_F(MessageEdgeTest, AMessageOfTheLimitPassesAndOfAByteMoreIsRefused) {
  options_.limits.message_bytes = kBytes;
  Start();
  const absl::Status at_it = SearchOf(kBytes);
  EXPECT_TRUE(at_it.ok()) << at_it;
  EXPECT_THAT(SearchOf(kBytes + 1), FailsWith(StatusCode::kResourceExhausted, "", "larger than max"));
}

}  // namespace
}  // namespace kith::testing
