// How kithd starts, refuses to start, and stops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <time.h>

#include <fstream>
#include <future>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "client/cli/speech_like.h"
#include "client/cpp/client.h"
#include "tests/e2e/fixture.h"
#include "tests/support/wait_until.h"

namespace kith::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class KithdTest : public EndToEnd {
 protected:
  std::string WriteConfig(const std::string& text) const {
    std::ofstream(Path("kithd.yaml")) << text;
    return Path("kithd.yaml");
  }

  // Of the server's processor time.
  double ServerSeconds() const {
    clockid_t clock{};
    timespec time{};
    if (clock_getcpuclockid(server_->pid(), &clock) != 0 || clock_gettime(clock, &time) != 0) {
      throw std::runtime_error("the server is gone");
    }
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
};

TEST_F(KithdTest, SaysWhatItRunsOn) {
  StartServer();
  EXPECT_EQ(StopServer(SIGTERM), 0);
  EXPECT_THAT(server_->err(), AllOf(HasSubstr("faiss 1.7.3"), HasSubstr("OpenBLAS"), HasSubstr("drained")));
}

TEST_F(KithdTest, SigintDrainsToo) {
  StartServer();
  EXPECT_EQ(StopServer(SIGINT), 0);
}

// Training rotations (OPQ) is one call of faiss that cannot be stopped; this one takes longer than the test may.
TEST_F(KithdTest, ATrainingThatCannotBeStoppedDoesNotHoldUpTheEnd) {
  constexpr int kDimension = 768;
  const std::vector<float> frames = cli::SpeechLike(kDimension, 1).Next(20000);
  StartServer();
  KithJson({"train", "anna", GenerateFrames(100)});
  std::promise<void> began;
  std::thread trains([&] {
    TrainOptions options;
    options.recipe.emplace().factory = "OPQ96,IVF64,PQ96";
    options.on_progress = [&, told = false](const TrainProgress& now) mutable {
      if (now.phase == TrainPhase::kTraining && !std::exchange(told, true)) began.set_value();
    };
    MemorySource source(FramesView(frames, kDimension));
    EXPECT_FALSE(Client({address_}).Train("endless", source, options).ok());
  });
  began.get_future().wait();
  // The phase is told just before faiss is called; nothing but faiss takes so much of a processor after that.
  const double before = ServerSeconds();
  testing::WaitUntil([&] { return ServerSeconds() >= before + 0.5; });
  EXPECT_EQ(StopServer(SIGTERM), 0);
  trains.join();
  EXPECT_THAT(server_->err(), HasSubstr("left behind"));
  StartServer();
  const auto experiments = KithJson({"list"})["experiments"];
  ASSERT_EQ(experiments.size(), 1u);
  EXPECT_EQ(experiments[0]["name"], "anna");
  EXPECT_EQ(experiments[0]["state"], "ready");
}

TEST_F(KithdTest, HelpAndVersion) {
  EXPECT_THAT(RunProgram(Kithd(), {"--help"}).out, HasSubstr("--check-config"));
  const Finished version = RunProgram(Kithd(), {"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, HasSubstr("kithd 0."));
}

TEST_F(KithdTest, AWrongCommandLineIsTwo) {
  EXPECT_EQ(RunProgram(Kithd(), {"--no-such-flag"}).exit_code, 2);
  EXPECT_EQ(RunProgram(Kithd(), {"--listen", "nonsense"}).exit_code, 2);
  EXPECT_EQ(RunProgram(Kithd(), {"--log-level", "loud"}).exit_code, 2);
  EXPECT_EQ(RunProgram(Kithd(), {"--config", Path("missing.yaml")}).exit_code, 2);
}

TEST_F(KithdTest, AWrongConfigurationNamesFileLineAndKey) {
  const Finished unknown = RunProgram(Kithd(), {"--config", WriteConfig("search:\n  thread: 2\n")});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, AllOf(HasSubstr("kithd.yaml:2"), HasSubstr("search.thread")));
  const Finished bad = RunProgram(Kithd(), {"--config", WriteConfig("limits:\n  k: 0\n")});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.err, AllOf(HasSubstr("kithd.yaml:2"), HasSubstr("limits.k")));
}

TEST_F(KithdTest, CheckConfigOnlyChecks) {
  EXPECT_EQ(RunProgram(Kithd(), {"--check-config", "--config", KITH_SOURCE_FOLDER "/config/kithd.yaml"}).exit_code, 0);
  EXPECT_EQ(RunProgram(Kithd(), {"--check-config", "--config", WriteConfig("listen: 7\n")}).exit_code, 2);
}

TEST_F(KithdTest, ATakenPortIsAnErrorAndNotShared) {
  StartServer();
  const Finished second = RunProgram(Kithd(), {"--listen", address_, "--data-dir", Path("other")});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("cannot listen on " + address_));
}

TEST_F(KithdTest, ADataFolderThatCannotBeOneIsAnErrorThatNamesIt) {
  std::ofstream(Path("file")) << "not a folder";
  const Finished finished = RunProgram(Kithd(), {"--listen", "127.0.0.1:0", "--data-dir", Path("file")});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr(Path("file")));
}

TEST_F(KithdTest, ADataFolderHasOneServer) {
  StartServer();
  const Finished second = RunProgram(Kithd(), {"--listen", "127.0.0.1:0", "--data-dir", data_dir()});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr(data_dir()));
  EXPECT_EQ(Kith({"health"}).exit_code, 0);
}

}  // namespace
}  // namespace kith::e2e
