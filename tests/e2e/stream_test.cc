// kith stream, the sample real-time client.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "common/npy/npy.h"
#include "tests/e2e/fixture.h"
#include "tests/support/wait_until.h"

namespace kith::e2e {
namespace {

class StreamTest : public EndToEnd {
 protected:
  StreamTest() {
    StartServer();
    KithJson({"train", "anna", GenerateFrames(500)});
    query_ = std::filesystem::directory_iterator(GenerateFrames(40, 7))->path().string();
  }

  std::string query_;  // 40 frames: 0.8 s
};

// Whether the process has spoken to the server by now.
bool HasSocket(pid_t process) {
  std::error_code gone;  // a file may be closed while it is looked at
  for (const auto& file : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd", gone)) {
    const std::string target = std::filesystem::read_symlink(file.path(), gone).string();
    if (target.rfind("socket:", 0) == 0) return true;
  }
  return false;
}

TEST_F(StreamTest, PlaysEveryFrameOnceAndBlended) {
  const auto report = KithJson({"stream", "anna", query_, "-o", Path("out.npy")});
  EXPECT_EQ(report["clients"], 1);
  EXPECT_EQ(report["rows"], 40);
  EXPECT_EQ(report["errors"], 0);
  EXPECT_GT(report["p50_ms"], 0);
  EXPECT_LE(report["p50_ms"], report["max_ms"]);
  KithJson({"expand", "anna", query_, "-o", Path("expanded.npy")});
  const auto played = npy::ReadMatrix(Path("out.npy"));
  const auto expanded = npy::ReadMatrix(Path("expanded.npy"));
  const auto frames = npy::ReadMatrix(query_);
  ASSERT_EQ(played->values.size(), expanded->values.size());
  int64_t bypassed_rows = 0;
  for (int64_t row = 0; row < played->rows; ++row) {
    float to_expanded = 0;
    float to_frame = 0;
    for (int64_t i = row * 32; i < (row + 1) * 32; ++i) {
      to_expanded = std::max(to_expanded, std::abs(played->values[i] - expanded->values[i]));
      to_frame = std::max(to_frame, std::abs(played->values[i] - frames->values[i]));
    }
    EXPECT_TRUE(to_expanded < 1e-4f || to_frame == 0) << "row " << row << " is neither blended nor passed through";
    if (to_frame == 0) ++bypassed_rows;
  }
  if (report["bypassed"] == 0) {
    EXPECT_EQ(bypassed_rows, 0);
  }
}

TEST_F(StreamTest, ManyClientsAreCountedTogether) {
  const auto report = KithJson({"stream", "anna", query_, "--clients", "8", "--seconds", "0.6"});
  EXPECT_EQ(report["clients"], 8);
  EXPECT_EQ(report["rows"], 8 * 30);
  EXPECT_EQ(report["errors"], 0);
}

TEST_F(StreamTest, APipeGivesAsManyRowsAsItGets) {
  const auto frames = npy::ReadMatrix(query_);
  ProcessOptions options;
  options.input.assign(reinterpret_cast<const char*>(frames->values.data()), frames->values.size() * sizeof(float));
  const Finished finished = Kith({"stream", "anna", "-", "--dimension", "32", "--json"}, options);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out.size(), options.input.size());
  EXPECT_EQ(LastJson(finished.err)["rows"], 40);
}

TEST_F(StreamTest, AFastPipeIsBlendedAndNotPassedThrough) {
  const auto frames = npy::ReadMatrix(query_);
  ProcessOptions options;
  for (int i = 0; i < 100; ++i) {
    options.input.append(reinterpret_cast<const char*>(frames->values.data()), frames->values.size() * sizeof(float));
  }
  const Finished finished =
      Kith({"stream", "anna", "-", "--dimension", "32", "--block-ms", "20", "--budget-ms", "4000", "--json"}, options);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out.size(), options.input.size());
  EXPECT_EQ(LastJson(finished.err)["rows"], 4000);
  EXPECT_EQ(LastJson(finished.err)["bypassed"], 0);
}

TEST_F(StreamTest, GoesOnWithoutTheServerAndComesBackToIt) {
  auto stream =
      StartKith({"stream", "anna", query_, "--seconds", "6", "--block-ms", "100", "--json", "-o", Path("out.npy")});
  EXPECT_EQ(StopServer(SIGTERM), 0) << "a drain ends the streams";
  StartServer(address_);
  EXPECT_EQ(stream->Wait(), 0) << stream->err();
  const auto report = LastJson(stream->out());
  EXPECT_EQ(report["rows"], 300) << "no frame is lost, whatever happens to the server";
  EXPECT_EQ(npy::ReadMatrix(Path("out.npy"))->rows, 300);
}

TEST_F(StreamTest, AServerThatNeverAnswersMeansEverythingBypassedAndThree) {
  StopServer(SIGTERM);
  const Finished finished = Kith({"stream", "anna", query_, "-o", Path("out.npy"), "--json"});
  EXPECT_EQ(finished.exit_code, 3) << finished.err;
  const auto report = LastJson(finished.out);
  EXPECT_EQ(report["blocks"], report["bypassed"]);
  EXPECT_EQ(npy::ReadMatrix(Path("out.npy"))->values, npy::ReadMatrix(query_)->values);
}

TEST_F(StreamTest, AnUnknownExperimentIsToldAtOnce) { EXPECT_EQ(Kith({"stream", "nobody", query_}).exit_code, 1); }

TEST_F(StreamTest, CtrlCEndsThePlayingAndStillReports) {
  auto stream = StartKith({"stream", "anna", query_, "--seconds", "600", "--json"});
  testing::WaitUntil([&] { return HasSocket(stream->pid()); });  // before that it has nothing to report
  stream->Signal(SIGINT);
  EXPECT_GE(stream->Wait(), 0) << "it ends by itself, not by the signal";
  EXPECT_TRUE(LastJson(stream->out()).contains("blocks")) << stream->out() << stream->err();
}

TEST_F(StreamTest, SigtermUnderLoadFinishesWhatRuns) {
  auto stream =
      StartKith({"stream", "anna", query_, "--clients", "16", "--seconds", "3", "--block-ms", "60", "--json"});
  std::vector<std::unique_ptr<Process>> searches;
  for (int i = 0; i < 4; ++i) searches.push_back(StartKith({"search", "anna", query_, "--json"}));
  for (auto& search : searches) EXPECT_EQ(search->Wait(), 0) << search->err();
  EXPECT_EQ(StopServer(SIGTERM), 0) << server_->err();
  stream->Wait();
  const auto report = LastJson(stream->out());
  EXPECT_EQ(report["rows"], 16 * 150);
}

}  // namespace
}  // namespace kith::e2e
