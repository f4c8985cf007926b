// kith stream against a fake server.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

#include "common/npy/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/app_fixture.h"

namespace kith::cli {
namespace {

using test::MakeError;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using StreamCommandTest = AppTest;

TEST_F(StreamCommandTest, StreamPlaysEveryFrameOnceAndWritesWhatItPlayed) {
  const Result result = Call({"stream", "voice", frames_.c_str(), "--block-ms", "100", "--budget-ms", "20000",
                              "--clients", "2", "-o", out_.c_str(), "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_THAT(result.keys(), ElementsAre("clients", "blocks", "rows", "late", "bypassed", "errors", "reconnects",
                                         "p50_ms", "p95_ms", "p99_ms", "max_ms"));
  const Json report = result.json();
  EXPECT_EQ(report["clients"], 2);
  EXPECT_EQ(report["blocks"], 12);
  EXPECT_EQ(report["rows"], 60);
  EXPECT_EQ(report["bypassed"], 0);
  EXPECT_EQ(report["errors"], 0);
  EXPECT_TRUE(report["p50_ms"].is_number());
  EXPECT_EQ(npy::ReadMatrix(out_)->values, std::vector<float>(60, 6));
}

TEST_F(StreamCommandTest, StreamWithoutAServerPlaysAllUnchangedAndIsExitCode3) {
  const std::string nowhere = test::UnreachableTarget();
  const Result result = Kith({"stream", "voice", frames_.c_str(), "--seconds", "0.2", "-o", out_.c_str(), "--json",
                              "--server", nowhere.c_str()});
  EXPECT_EQ(result.exit_code, kNotReached);
  EXPECT_THAT(result.err, AllOf(StartsWith("kith: "), HasSubstr(nowhere)));
  EXPECT_EQ(result.json()["bypassed"], 1);
  EXPECT_EQ(result.json()["p50_ms"], nullptr);
  EXPECT_EQ(npy::ReadMatrix(out_)->values, std::vector<float>(20, 5));
}

TEST_F(StreamCommandTest, StreamTellsAMistakeAtOnce) {
  server_.retrieval.before = [] {
    return MakeError(grpc::StatusCode::NOT_FOUND, "EXPERIMENT_NOT_FOUND", "there is no experiment voice");
  };
  const Result result = Call({"stream", "voice", frames_.c_str(), "--json"});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_EQ(result.out, "");
}

TEST_F(StreamCommandTest, StreamCountsWhatTheServerCallsLate) {
  server_.retrieval.block_status = [](int64_t sequence) {
    return sequence == 0 ? MakeError(grpc::StatusCode::DEADLINE_EXCEEDED, "LATE", "late") : grpc::Status::OK;
  };
  const Result result = Call(
      {"stream", "voice", frames_.c_str(), "--block-ms", "300", "--budget-ms", "20000", "-o", out_.c_str(), "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.json()["late"], 1);
  EXPECT_EQ(result.json()["bypassed"], 1);
  const std::vector<float> played = npy::ReadMatrix(out_)->values;
  EXPECT_EQ(played.front(), 5);
  EXPECT_EQ(played.back(), 6);
}

TEST_F(StreamCommandTest, AStreamThatIsAllLateIsDone) {
  server_.retrieval.block_status = [](int64_t) {
    return MakeError(grpc::StatusCode::DEADLINE_EXCEEDED, "LATE", "late");
  };
  const Result result = Call({"stream", "voice", frames_.c_str(), "--budget-ms", "20000", "--json"});
  EXPECT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.json()["late"], result.json()["blocks"]);
  EXPECT_EQ(result.err, "");
}

TEST_F(StreamCommandTest, BlocksThatFailAreExitCode1WithTheFirstOnesMessage) {
  server_.retrieval.block_status = [](int64_t sequence) {
    return sequence == 0 ? grpc::Status::OK
                         : MakeError(grpc::StatusCode::INVALID_ARGUMENT, "NOT_FINITE",
                                     "block " + std::to_string(sequence) + " is bad");
  };
  const Result result = Call({"stream", "voice", frames_.c_str(), "--budget-ms", "20000", "--json"});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_EQ(result.json()["errors"], 2);
  EXPECT_EQ(result.err, "kith: 2 blocks failed; the first: block 1 is bad\n");
}

TEST_F(StreamCommandTest, TheTimeoutEndsAStream) {
  const Result result = Call(
      {"stream", "voice", frames_.c_str(), "--seconds", "600", "--timeout", "0.2", "--budget-ms", "20000", "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.json()["rows"], 10);
}

// stream - with these rows of two values on stdin and what is written to `out`.
class StdinTest : public StreamCommandTest {
 protected:
  Result Pipe(int64_t rows, const std::string& target, int out_fd) {
    std::FILE* in = std::tmpfile();
    const std::vector<float> values(2 * rows, 1);
    if (rows > 0) {
      EXPECT_EQ(std::fwrite(values.data(), sizeof(float), values.size(), in), values.size());
    }
    std::rewind(in);
    const Result result =
        Kith({"stream", "voice", "-", "--dimension", "2", "--budget-ms", "20000", "--json", "--server", target.c_str()},
             fileno(in), out_fd);
    std::fclose(in);
    return result;
  }
};

TEST_F(StdinTest, ItIsToldThatTheServerIsNotReached) {
  const std::string nowhere = test::UnreachableTarget();
  const int out = open("/dev/null", O_WRONLY);
  const Result result = Pipe(40, nowhere, out);
  EXPECT_EQ(result.exit_code, kNotReached);
  EXPECT_THAT(result.err, AllOf(StartsWith("kith: "), HasSubstr(nowhere)));
  EXPECT_EQ(Pipe(0, nowhere, out).exit_code, kDone) << "there was nothing to play";
  close(out);
}

TEST_F(StdinTest, ItIsToldThatAListenerNeverAnswers) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string mute = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const int out = open("/dev/null", O_WRONLY);
  const Result result = Pipe(40, mute, out);
  EXPECT_EQ(result.exit_code, kNotReached);
  EXPECT_THAT(result.err, AllOf(StartsWith("kith: "), HasSubstr(mute)));
  close(out);
  close(listener);
}

TEST_F(StdinTest, RowsThatCannotBeWrittenAreAFailure) {
  const int full = open("/dev/full", O_WRONLY);
  const Result result = Pipe(40, target_, full);
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_THAT(result.err, HasSubstr("stdout: cannot be written"));
  close(full);
}

TEST_F(StreamCommandTest, StreamFromAPipeWritesRowsOnlyAndReportsOnStderr) {
  std::FILE* in = std::tmpfile();
  std::FILE* out = std::tmpfile();
  const std::vector<float> values(2 * 40, 1);
  ASSERT_EQ(std::fwrite(values.data(), sizeof(float), values.size(), in), values.size());
  std::rewind(in);
  const Result result =
      Kith({"stream", "voice", "-", "--dimension", "2", "--budget-ms", "20000", "--json", "--server", target_.c_str()},
           fileno(in), fileno(out));
  EXPECT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(Json::parse(result.err)["rows"], 40);
  std::rewind(out);
  std::vector<float> played(100);
  played.resize(std::fread(played.data(), sizeof(float), played.size(), out));
  EXPECT_EQ(played, std::vector<float>(2 * 40, 2));
  std::fclose(in);
  std::fclose(out);
}

}  // namespace
}  // namespace kith::cli
