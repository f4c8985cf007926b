// kith bench against a fake server.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/app_fixture.h"

namespace kith::cli {
namespace {

using test::MakeError;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BenchCommandTest : public AppTest {
 protected:
  Result Bench(std::vector<const char*> more) {
    std::vector<const char*> arguments = {"bench", "a",         "--frames", frames_.c_str(), "--seconds",
                                          "0.2",   "--warm-up", "0",        "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Call(arguments);
  }
};

TEST_F(BenchCommandTest, OpenLoopMeasuresEveryBlockThatWasDue) {
  const Result result = Bench({"--rate", "50", "--clients", "4", "--block-rows", "5"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_THAT(result.keys(), ElementsAre("experiments", "loop", "call", "clients", "connections", "block_rows", "rate",
                                         "seconds", "blocks", "rows", "late", "errors", "reasons", "under_way",
                                         "blocks_per_second", "rows_per_second", "mean_ms", "p50_ms", "p90_ms",
                                         "p95_ms", "p99_ms", "p999_ms", "max_ms", "server"));
  const Json report = result.json();
  EXPECT_EQ(report["loop"], "open");
  EXPECT_EQ(report["call"], "StreamExpand");
  EXPECT_EQ(report["blocks"], 40);
  EXPECT_EQ(report["rows"], 200);
  EXPECT_EQ(report["errors"], 0);
  EXPECT_LE(report["p50_ms"], report["p99_ms"]);
  EXPECT_LE(report["p99_ms"], report["max_ms"]);
  EXPECT_THAT(server_.retrieval.request_rows(), Contains(5));
  EXPECT_EQ(server_.retrieval.streams, 4);
}

TEST_F(BenchCommandTest, ClosedLoopOfCallsOfTheirOwnOpensNoStream) {
  for (const bool search : {false, true}) {
    std::vector<const char*> arguments = {"--unary", "--clients", "2"};
    if (search) arguments.push_back("--search");
    const Result result = Bench(arguments);
    ASSERT_EQ(result.exit_code, kDone) << result.err;
    EXPECT_EQ(result.json()["loop"], "closed");
    EXPECT_EQ(result.json()["call"], search ? "Search" : "Expand");
    EXPECT_EQ(result.json()["rate"], nullptr);
    EXPECT_GT(result.json()["blocks"], 0);
  }
  EXPECT_EQ(server_.retrieval.streams, 0);
}

TEST_F(BenchCommandTest, WithoutFramesTheyAreGenerated) {
  const Result result = Call({"bench", "a", "--seconds", "0.1", "--warm-up", "0"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("1 client over 1 connection"), HasSubstr("p99.9"), HasSubstr("errors 0")));
}

TEST_F(BenchCommandTest, TheServersHistogramsAreInTheReport) {
  const Json server = Bench({}).json()["server"];
  ASSERT_TRUE(server.is_object());
  EXPECT_FALSE(server.empty());
  for (const auto& [name, figures] : server.items()) EXPECT_TRUE(figures.contains("p99")) << name;
}

TEST_F(BenchCommandTest, LateBlocksAreNoFailure) {
  server_.retrieval.block_status = [](int64_t) {
    return MakeError(grpc::StatusCode::DEADLINE_EXCEEDED, "LATE", "too late");
  };
  const Result result = Bench({"--rate", "50", "--budget-ms", "100"});
  EXPECT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.json()["late"], 10);
  EXPECT_EQ(result.json()["errors"], 0);
  EXPECT_EQ(result.json()["p99_ms"], nullptr);
}

TEST_F(BenchCommandTest, BlocksThatFailAreExitCode1WithTheirReasons) {
  server_.retrieval.block_status = [](int64_t sequence) {
    return sequence % 2 == 0 ? MakeError(grpc::StatusCode::RESOURCE_EXHAUSTED, "OVERLOADED", "full") : grpc::Status::OK;
  };
  const Result result = Bench({"--rate", "50"});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_THAT(result.err, AllOf(StartsWith("kith: "), HasSubstr("5 OVERLOADED")));
  EXPECT_EQ(result.json()["blocks"], 5);
  EXPECT_EQ(result.json()["reasons"]["OVERLOADED"], 5);
}

TEST_F(BenchCommandTest, AnUnknownExperimentIsToldAtOnce) {
  const Result result = Call({"bench", "nope", "--json"});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_THAT(result.err, StartsWith("kith: "));
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(server_.retrieval.streams, 0);
}

TEST_F(BenchCommandTest, WithoutAServerItIsExitCode3) {
  const std::string nowhere = test::UnreachableTarget();
  const Result result = Kith({"bench", "a", "--server", nowhere.c_str()});
  EXPECT_EQ(result.exit_code, kNotReached);
  EXPECT_THAT(result.err, AllOf(StartsWith("kith: "), HasSubstr(nowhere)));
}

TEST_F(BenchCommandTest, AFileOfFewerFramesThanABlockIsRefused) {
  const Result result = Bench({"--block-rows", "31"});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_THAT(result.err, HasSubstr("30 rows"));
}

TEST_F(BenchCommandTest, CtrlCPrintsWhatWasMeasured) {
  std::ostringstream out;
  std::ostringstream err;
  Cancellation cancellation;
  Context context{out, err, false, -1, -1, cancellation};
  server_.retrieval.block_status = [&](int64_t sequence) {
    if (sequence == 20) cancellation.Cancel();
    return grpc::Status::OK;
  };
  const std::vector<const char*> arguments = {"kith", "bench",     "a", "--frames", frames_.c_str(), "--seconds",
                                              "1000", "--warm-up", "0", "--server", target_.c_str(), "--json"};
  EXPECT_EQ(RunKith(static_cast<int>(arguments.size()), arguments.data(), context), kDone) << err.str();
  const Json report = Json::parse(out.str());
  EXPECT_GE(report["blocks"], 19);
  EXPECT_LT(report["seconds"], 1000);
}

}  // namespace
}  // namespace kith::cli
