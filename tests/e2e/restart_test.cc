// What a server holds after it was stopped, or killed.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/e2e/fixture.h"

namespace kith::e2e {
namespace {

class RestartTest : public EndToEnd, public ::testing::WithParamInterface<int> {
 protected:
  nlohmann::json Answers(const std::string& name, const std::string& query) const {
    const auto found = KithJson({"search", name, query});
    return {found["ids"], found["distances"]};
  }
};

TEST_P(RestartTest, EveryRowThatWasAddedIsBack) {
  StartServer();
  KithJson({"train", "anna", GenerateFrames(500)});
  KithJson({"train", "name with spaces, ünïcode", GenerateFrames(100, 3), "--metric", "cosine"});
  KithJson({"train", "fast", GenerateFrames(500), "--recipe", "fastscan"});
  KithJson({"add", "anna", GenerateFrames(60, 2)});
  KithJson({"add", "fast", GenerateFrames(60, 2)});
  const std::string query = std::filesystem::directory_iterator(GenerateFrames(60, 2))->path().string();
  const auto before = Answers("anna", query);
  const auto before_fast = Answers("fast", query);
  StopServer(GetParam());
  StartServer();
  EXPECT_EQ(KithJson({"list"})["experiments"].size(), 3u);
  EXPECT_EQ(Answers("anna", query), before);
  EXPECT_EQ(Answers("fast", query), before_fast);
  EXPECT_EQ(before[0][0][0], 500) << "the rows added are their own nearest";
  EXPECT_EQ(KithJson({"add", "anna", GenerateFrames(60, 4)})["first_id"], 560);
}

INSTANTIATE_TEST_SUITE_P(Signals, RestartTest, ::testing::Values(SIGTERM, SIGKILL),
                         [](const auto& info) { return info.param == SIGTERM ? "Drained" : "Killed"; });

TEST_F(EndToEnd, CheckVerifiesADataFolder) {
  StartServer();
  KithJson({"train", "anna", GenerateFrames(500)});
  KithJson({"train", "bob", GenerateFrames(100, 3), "--metric", "cosine"});
  KithJson({"add", "anna", GenerateFrames(60, 2)});
  const Finished in_use = RunProgram(Kithd(), {"--check", data_dir()});
  EXPECT_EQ(in_use.exit_code, 1);
  EXPECT_NE(in_use.err.find("is in use"), std::string::npos) << in_use.err;
  StopServer(SIGKILL);
  const Finished sound = RunProgram(Kithd(), {"--check", data_dir()});
  EXPECT_EQ(sound.exit_code, 0) << sound.err;
  EXPECT_EQ(sound.out,
            "ok      catalogue\nok      experiment \"anna\": 1 generations, 560 rows\n"
            "ok      experiment \"bob\": 1 generations, 100 rows\n");

  for (const auto& snapshot : std::filesystem::directory_iterator(data_dir() + "/snapshots")) {
    const std::string index = snapshot.path().string() + "/index.faiss";
    std::filesystem::resize_file(index, std::filesystem::file_size(index) - 1);
  }
  const Finished damaged = RunProgram(Kithd(), {"--check", data_dir()});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_NE(damaged.out.find("DAMAGED experiment \"anna\""), std::string::npos) << damaged.out;
  EXPECT_NE(damaged.out.find("DAMAGED experiment \"bob\""), std::string::npos) << damaged.out;
  EXPECT_EQ(RunProgram(Kithd(), {"--check", Path("nothing")}).exit_code, 2);
  EXPECT_EQ(RunProgram(Kithd(), {"--check"}).exit_code, 2);
}

}  // namespace
}  // namespace kith::e2e
