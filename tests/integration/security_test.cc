// Who may do what, and what those hear who may not.
#include <fstream>
#include <map>

#include "common/token/token.h"
#include "common/token/token_file.h"
#include "server/auth/tokens.h"
#include "server/rpc/access.h"
#include "tests/integration/fixture.h"
#include "tests/integration/raw_rpc.h"

namespace kith::testing {
namespace {

using google::protobuf::MethodDescriptor;
using rpc::Openness;

// Of all that a client can tell apart.
std::string Heard(const grpc::Status& status) {
  return std::to_string(status.error_code()) + "|" + status.error_message() + "|" + status.error_details();
}

bool IsAboutRights(const grpc::Status& status) {
  return status.error_code() == grpc::UNAUTHENTICATED || status.error_code() == grpc::PERMISSION_DENIED;
}

rpc::Access AccessOf(const MethodDescriptor& method) {
  for (int i = 0; i < telemetry::kRpcs; ++i) {
    const auto rpc = static_cast<telemetry::Rpc>(i);
    if (telemetry::RpcName(rpc) == method.name()) return rpc::AccessOf(rpc);
  }
  throw std::runtime_error(method.name() + " has no row");
}

class SecurityTest : public IntegrationTest {
 protected:
  // Makes the voices alice-1 and bob before anybody needs a token.
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("alice-1", frames_);
    Train("bob", frames_);
    Stop();
    path_ = data_dir().string() + ".tokens";
    std::ofstream(path_) << "";
    Secure(Openness::kOpen, Openness::kToken);
  }
  void TearDown() override {
    Stop();
    std::filesystem::remove(path_);
  }

  void Secure(Openness health, Openness reflection) {
    Stop();
    auto tokens = auth::Tokens::Open(path_);
    ASSERT_TRUE(tokens.ok()) << tokens.status();
    tokens_ = *std::move(tokens);
    options_.security = {tokens_.get(), health, reflection};
    Start();
  }

  std::string NewToken(const std::string& scopes, const std::vector<std::string>& patterns) {
    const token::Token token = *token::NewToken();
    EXPECT_TRUE(
        token::AddEntry(path_, {token.id, *token::HashOf(token.secret), *token::ParseScopes(scopes), patterns, ""})
            .ok());
    EXPECT_TRUE(tokens_->Reload().ok());
    return token::TokenText(token);
  }
  static Metadata With(const std::string& token) { return {{"authorization", "Bearer " + token}}; }

  // Under one request id, so that answers can be equal to the last byte.
  grpc::Status Call(const MethodDescriptor& method, const std::string& experiment, Metadata metadata) {
    metadata.emplace("x-request-id", "the-same");
    return CallRpc(channel().get(), method, experiment, metadata);
  }
  // The same for a voice that is there and one that is not.
  void ExpectRefused(const MethodDescriptor& method, const Metadata& metadata, absl::StatusCode code,
                     const std::string& reason) {
    const grpc::Status there = Call(method, "bob", metadata);
    EXPECT_EQ(static_cast<int>(there.error_code()), static_cast<int>(code)) << method.name();
    EXPECT_EQ(ErrorReason(ToStatus(there)), reason) << method.name();
    EXPECT_EQ(Heard(there), Heard(Call(method, "bob-none", metadata))) << method.name();
  }

  std::unique_ptr<Client> ClientWith(const std::string& token) {
    ClientOptions options;
    options.target = service().address();
    options.token = token;
    options.connect_timeout = absl::Seconds(60);
    options.unary_timeout = absl::Seconds(240);
    return std::make_unique<Client>(options);
  }

  const retrieval::Frames frames_ = SpeechLike(60, 8);
  std::string path_;
  std::unique_ptr<auth::Tokens> tokens_;
};

TEST_F(SecurityTest, WithoutAGoodTokenEveryCallIsRefusedAlike) {
  const std::string good = NewToken("read,write,admin", {"*"});
  const std::string unknown = token::TokenText(*token::NewToken());
  const std::string wrong = token::TokenText({token::ParseToken(good)->id, token::NewToken()->secret});
  for (const MethodDescriptor* method : AllRpcs()) {
    ExpectRefused(*method, {}, absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED");
    ExpectRefused(*method, With(unknown), absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED");
    EXPECT_EQ(Heard(Call(*method, "bob", With(wrong))), Heard(Call(*method, "bob", With(unknown)))) << method->name();
    Metadata two = With(good);
    two.merge(With(good));
    ExpectRefused(*method, two, absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED");
  }
  EXPECT_TRUE(ClientWith(good)->Get("bob").ok());
}

TEST_F(SecurityTest, EachScopeIsForItsCallsOnly) {
  const std::map<token::Scope, std::string> tokens = {{token::Scope::kRead, NewToken("read", {"*"})},
                                                      {token::Scope::kWrite, NewToken("write", {"*"})},
                                                      {token::Scope::kAdmin, NewToken("admin", {"*"})}};
  for (const MethodDescriptor* method : AllRpcs()) {
    for (const auto& [scope, token] : tokens) {
      if (scope == AccessOf(*method).scope) {
        EXPECT_FALSE(IsAboutRights(Call(*method, "none", With(token)))) << method->name();
      } else {
        ExpectRefused(*method, With(token), absl::StatusCode::kPermissionDenied, "PERMISSION_DENIED");
      }
    }
  }
  EXPECT_TRUE(ClientWith(tokens.at(token::Scope::kRead))->Get("bob").ok()) << "a refused call did something";
}

TEST_F(SecurityTest, ATokenIsForItsNamesOnly) {
  const Metadata alices = With(NewToken("read,write,admin", {"alice-*"}));
  Metadata pretends = alices;
  pretends.emplace("x-kith-experiment", "alice-1");
  for (const MethodDescriptor* method : AllRpcs()) {
    const auth::Subject subject = AccessOf(*method).subject;
    if (subject == auth::Subject::kListed) continue;
    ExpectRefused(*method, alices, absl::StatusCode::kPermissionDenied, "PERMISSION_DENIED");
    ExpectRefused(*method, pretends, absl::StatusCode::kPermissionDenied, "PERMISSION_DENIED");
    EXPECT_EQ(IsAboutRights(Call(*method, "alice-none", alices)), subject == auth::Subject::kServer) << method->name();
  }
}

TEST_F(SecurityTest, ListShowsTheNamesThatTheTokenIsFor) {
  const auto everyone = ClientWith(NewToken("read,write", {"*"}));
  for (const char* name : {"alice-2", "alice-3", "carl", "zoe"}) {
    MemorySource source(View(frames_));
    ASSERT_TRUE(everyone->Train(name, source).ok());
  }
  const std::string token = NewToken("read", {"alice-*", "zoe"});
  std::vector<std::string> names;
  v1::ListExperimentsRequest request;
  request.set_page_size(2);  // so that pages end before and behind those that are left out
  int pages = 0;
  do {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    v1::ListExperimentsResponse page;
    ASSERT_TRUE(experiments().List(&context, request, &page).ok());
    for (const auto& experiment : page.experiments()) names.push_back(experiment.name());
    request.set_page_token(page.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(names, (std::vector<std::string>{"alice-1", "alice-2", "alice-3", "zoe"}));
  EXPECT_EQ(pages, 2);
  EXPECT_EQ(everyone->List()->size(), 6u);
  EXPECT_TRUE(ClientWith(NewToken("read", {"nobody"}))->List()->empty());
}

TEST_F(SecurityTest, AStreamEndsAtItsNextBlockWhenItsTokenIsRevoked) {
  const std::string token = NewToken("read", {"bob"});
  const std::string other = NewToken("read", {"bob"});
  const auto client = ClientWith(token);
  auto stream = client->StreamExpand("bob");
  auto kept = ClientWith(other)->StreamExpand("bob");
  ASSERT_TRUE(stream.ok() && kept.ok());
  for (auto* each : {stream->get(), kept->get()}) {
    ASSERT_TRUE(each->Write(1, View(frames_)).ok());
    ASSERT_TRUE(each->Read().ok());
  }
  ASSERT_TRUE(token::RemoveEntry(path_, token::ParseToken(token)->id).ok());
  ASSERT_TRUE(tokens_->Reload().ok());
  (void)(*stream)->Write(2, View(frames_));
  EXPECT_THAT((*stream)->Read().status(), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED", "revoked"));
  EXPECT_THAT(client->Get("bob").status(), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED", "revoked"));
  ASSERT_TRUE((*kept)->Write(2, View(frames_)).ok());
  EXPECT_TRUE((*kept)->Read().ok());
}

TEST_F(SecurityTest, AnUploadEndsAtItsNextMessageWhenItsTokenIsRevoked) {
  const std::string token = NewToken("write", {"carl"});
  const auto train = std::make_unique<RawTrain>([&](auto* context) {
    context->AddMetadata("authorization", "Bearer " + token);
    return retrieval().Train(context);
  });
  v1::TrainRequest request;
  request.set_experiment("carl");
  FillRaw(frames_, request.mutable_frames());
  v1::TrainResponse response;
  ASSERT_TRUE((*train)->Write(request));
  ASSERT_TRUE((*train)->Read(&response));
  ASSERT_TRUE(token::RemoveEntry(path_, token::ParseToken(token)->id).ok());
  ASSERT_TRUE(tokens_->Reload().ok());
  (*train)->WritesDone();
  while ((*train)->Read(&response)) {
  }
  EXPECT_THAT(train->Finish(), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED", "revoked"));
  EXPECT_EQ(ClientWith(NewToken("read", {"*"}))->Get("carl").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SecurityTest, AnAdditionIsNotMadeWhenItsTokenIsRevokedBeforeItsEnd) {
  const std::string token = NewToken("write,read", {"alice-*"});
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + token);
  v1::AddResponse response;
  const auto add = retrieval().Add(&context, &response);
  v1::AddRequest request;
  request.set_experiment("alice-1");
  FillRaw(frames_, request.mutable_frames());
  ASSERT_TRUE(add->Write(request));
  ASSERT_TRUE(token::RemoveEntry(path_, token::ParseToken(token)->id).ok());
  ASSERT_TRUE(tokens_->Reload().ok());
  add->WritesDone();
  EXPECT_THAT(ToStatus(add->Finish()), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED", "revoked"));
  EXPECT_EQ(ClientWith(NewToken("read", {"*"}))->Get("alice-1")->rows, frames_.rows());
}

constexpr char kHealthCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kHealthWatch[] = "/grpc.health.v1.Health/Watch";
constexpr char kReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

TEST_F(SecurityTest, HealthAndReflectionAreGatedByConfiguration) {
  const Metadata any = With(NewToken("write", {"nothing"}));
  const auto code = [&](const char* path, const Metadata& metadata = {}) {
    return CallByBytes(channel().get(), path, "", metadata).error_code();
  };
  EXPECT_EQ(code(kHealthCheck), grpc::OK);
  EXPECT_EQ(code(kReflection), grpc::UNAUTHENTICATED);
  EXPECT_EQ(code(kReflection, any), grpc::OK);
  Secure(Openness::kToken, Openness::kOpen);
  EXPECT_EQ(code(kHealthCheck), grpc::UNAUTHENTICATED);
  EXPECT_EQ(code(kHealthWatch), grpc::UNAUTHENTICATED);
  EXPECT_EQ(code(kHealthCheck, any), grpc::OK);
  EXPECT_EQ(code(kReflection), grpc::OK);
  Secure(Openness::kOpen, Openness::kOff);
  EXPECT_EQ(code(kReflection, any), grpc::UNIMPLEMENTED);
}

}  // namespace
}  // namespace kith::testing
