// The Experiments service, health and reflection.
#include <list>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

class ExperimentsTest : public IntegrationTest {
 protected:
  absl::StatusOr<v1::ListExperimentsResponse> ListPage(int page_size, const std::string& token = "") {
    v1::ListExperimentsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    v1::ListExperimentsResponse response;
    grpc::ClientContext context;
    const absl::Status status = ToStatus(experiments().List(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }

  static std::vector<std::string> Names(const v1::ListExperimentsResponse& response) {
    std::vector<std::string> names;
    for (const auto& experiment : response.experiments()) names.push_back(experiment.name());
    return names;
  }

  const retrieval::Frames frames_ = SpeechLike(10, 4);
};

TEST_F(ExperimentsTest, AnEmptyServerListsNothing) {
  const auto page = ListPage(0);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(Names(*page), IsEmpty());
  EXPECT_EQ(page->next_page_token(), "");
}

TEST_F(ExperimentsTest, ListGoesByTheBytesOfTheNamesAPageAtATime) {
  const std::vector<std::string> sorted = {"A", "a", "a b", "ab", "b", "\xc3\xa4"};
  for (const char* name : {"b", "ab", "\xc3\xa4", "A", "a b", "a"}) Train(name, frames_);
  EXPECT_THAT(Names(*ListPage(0)), ElementsAreArray(sorted));
  for (const int size : {1, 2, 4, 5}) {
    std::vector<std::string> seen;
    std::string token;
    do {
      const auto page = ListPage(size, token);
      ASSERT_TRUE(page.ok()) << page.status();
      EXPECT_LE(page->experiments_size(), size);
      EXPECT_GT(page->experiments_size(), 0);
      for (const std::string& name : Names(*page)) seen.push_back(name);
      token = page->next_page_token();
    } while (!token.empty());
    EXPECT_THAT(seen, ElementsAreArray(sorted));
  }
  for (const int size : {6, 7, 1000, 2000000000}) EXPECT_EQ(ListPage(size)->next_page_token(), "");
}

TEST_F(ExperimentsTest, APageGoesOnBehindOneThatWasDeletedMeanwhile) {
  for (const char* name : {"a", "b", "c"}) Train(name, frames_);
  const auto first = ListPage(1);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(client().Delete("a").ok());
  Train("aa", frames_);
  EXPECT_THAT(Names(*ListPage(10, first->next_page_token())), ElementsAre("aa", "b", "c"));
}

TEST_F(ExperimentsTest, ListRefusesANegativeSizeAndAnotherServersToken) {
  EXPECT_THAT(ListPage(-1).status(), IsInvalid("BAD_PARAMETER", "page_size"));
  EXPECT_THAT(ListPage(10, "not base 64!").status(), IsInvalid("BAD_PARAMETER", "page_token"));
}

TEST_F(ExperimentsTest, ListAndGetTellTheSame) {
  Train("voice", frames_);
  v1::GetExperimentRequest request;
  request.set_name("voice");
  v1::GetExperimentResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(experiments().Get(&context, request, &response).ok());
  EXPECT_EQ(ListPage(0)->experiments(0).SerializeAsString(), response.experiment().SerializeAsString());
  EXPECT_EQ(response.experiment().rows(), 10);
  EXPECT_EQ(response.experiment().state(), v1::Experiment::STATE_READY);
}

TEST_F(ExperimentsTest, AnUnknownNameIsNotFound) {
  EXPECT_THAT(client().Get("nobody").status(),
              FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "'nobody'"));
  EXPECT_THAT(client().Get("").status(), FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", ""));
  EXPECT_THAT(client().Delete("nobody"), FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "'nobody'"));
}

TEST_F(ExperimentsTest, ADeletedExperimentIsGoneAndItsNameFree) {
  Train("voice", frames_);
  Add("voice", frames_, "id");
  ASSERT_TRUE(client().Delete("voice").ok());
  EXPECT_THAT(client().Get("voice").status(), FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "voice"));
  EXPECT_THAT(client().Search("voice", View(frames_)).status(),
              FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "voice"));
  EXPECT_THAT(client().Delete("voice"), FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "voice"));
  EXPECT_EQ(Train("voice", Rows(frames_, 0, 3)).generation, 1);
  EXPECT_EQ(Add("voice", frames_, "id").first_id, 3);  // its request ids went with it
}

TEST_F(ExperimentsTest, NamesMayHaveSpacesAndAnyScript) {
  const std::vector<std::string> names = {" ",
                                          "two words",
                                          "Zo\xc3\xab v2",
                                          "\xe5\xa3\xb0",
                                          "\xf0\x9f\x8e\xa4",
                                          "..",
                                          ".",
                                          "a\\b",
                                          "%2F",
                                          "'; DROP TABLE --",
                                          "a%00b",
                                          "-",
                                          std::string(128, 'n')};
  for (const std::string& name : names) {
    Train(name, frames_);
    EXPECT_EQ(Get(name).name, name);
    EXPECT_EQ(Search(name, Rows(frames_, 3, 1)).ids.front(), 3) << name;
  }
  Restart();
  EXPECT_EQ(client().List()->size(), names.size());
  for (const std::string& name : names) {
    EXPECT_EQ(Get(name).rows, 10) << name;
    EXPECT_TRUE(client().Delete(name).ok()) << name;
  }
}

TEST_F(ExperimentsTest, HealthSaysServing) {
  const auto health = client().GetHealth();
  ASSERT_TRUE(health.ok()) << health.status();
  EXPECT_EQ(*health, Health::kServing);
}

using RawWatch = RawCall<grpc::ClientReader<grpc::health::v1::HealthCheckResponse>>;

TEST_F(ExperimentsTest, HealthHasSoManyWatchersAndNoMore) {
  constexpr size_t kMost = 1024;
  const auto health = grpc::health::v1::Health::NewStub(channel());
  const auto watch = [&](auto* context) { return health->Watch(context, {}); };
  const auto is_told = [](RawWatch& one) {  // the first state, which who is refused is not
    grpc::health::v1::HealthCheckResponse state;
    return one->Read(&state);
  };
  std::list<RawWatch> watches;
  while (watches.size() < kMost) ASSERT_TRUE(is_told(watches.emplace_back(watch))) << watches.size();
  RawWatch refused(watch);
  ASSERT_FALSE(is_told(refused));
  EXPECT_THAT(refused.Finish(), FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", "ask for it by Check"));
  EXPECT_TRUE(client().GetHealth().ok());
  watches.pop_front();
  WaitUntil([&] {
    RawWatch next(watch);
    return is_told(next);
  });
}

// By the protocol's bytes, so that no copy of its messages is needed: field 7 asks for the services (list_services),
// and their names stand in the answer as they are.
TEST_F(ExperimentsTest, ReflectionNamesTheServices) {
  grpc::ClientContext context;
  using Stream = grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;
  const grpc::internal::RpcMethod method("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                         grpc::internal::RpcMethod::BIDI_STREAMING);
  const std::unique_ptr<Stream> stream(
      grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(channel().get(), method,
                                                                                            &context));
  const grpc::Slice question(std::string("\x3a\x01*", 3));
  ASSERT_TRUE(stream->Write(grpc::ByteBuffer(&question, 1)));
  grpc::ByteBuffer answer;
  ASSERT_TRUE(stream->Read(&answer));
  stream->WritesDone();
  grpc::ByteBuffer more;
  EXPECT_FALSE(stream->Read(&more));
  EXPECT_TRUE(stream->Finish().ok());
  grpc::Slice bytes;
  ASSERT_TRUE(answer.DumpToSingleSlice(&bytes).ok());
  const std::string text(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  EXPECT_THAT(text, ::testing::HasSubstr("kith.v1.Retrieval"));
  EXPECT_THAT(text, ::testing::HasSubstr("kith.v1.Experiments"));
  EXPECT_THAT(text, ::testing::HasSubstr("grpc.health.v1.Health"));
}

}  // namespace
}  // namespace kith::testing
