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

}  // namespace
}  // namespace kith::e2e
