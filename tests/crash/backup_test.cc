// Backups that are taken while writers go on, and what a server makes of them.
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/crash/crash_fixture.h"
#include "tests/crash/voice.h"

namespace kith::crash {
namespace {

// anna and bob are added to, and folded; carla is trained and rolled back.
class BackupTest : public CrashTest {
 protected:
  void SetUp() override {
    set_config("storage: {fold_rows: 100}\n");
    ASSERT_NO_FATAL_FAILURE(Start());
    for (Voice* voice : {&anna_, &bob_, &carla_, &carla_}) ASSERT_TRUE(voice->Train(client()).ok());
    ASSERT_TRUE(anna_.SetPinned(client(), true).ok());
    StartWriter([](Voice& anna, Client& client, int turn) { return anna.Add(client, 1 + turn % 20); }, &anna_);
    StartWriter([](Voice& bob, Client& client, int turn) { return bob.Add(client, 1 + turn % 7); }, &bob_);
    StartWriter(
        [](Voice& carla, Client& client, int turn) {
          return turn % 3 == 0 ? carla.Train(client) : turn % 3 == 1 ? carla.Add(client, 5) : carla.Rollback(client);
        },
        &carla_);
  }
  void TearDown() override { StopWriters(); }

  template <class Turn>
  void StartWriter(Turn write, Voice* voice) {
    writers_.emplace_back([this, write, voice] {
      const auto client = server().Connect();
      for (int turn = 0; !stopping_; ++turn) {
        const absl::Status status = write(*voice, *client, turn);
        ASSERT_TRUE(status.ok()) << voice->name() << ": " << status;
      }
    });
  }

  void StopWriters() {
    stopping_ = true;
    for (std::thread& writer : writers_) writer.join();
    writers_.clear();
  }

  struct Backup {
    std::string tar;
    int64_t anna_rows = 0;  // acknowledged before it began
    int64_t bob_rows = 0;
  };
  Backup Take() {
    Backup backup = {"", anna_.rows(), bob_.rows()};
    const auto taken = client().Backup([&](absl::Span<const char> bytes) {
      backup.tar.append(bytes.data(), bytes.size());
      return absl::OkStatus();
    });
    EXPECT_TRUE(taken.ok()) << taken.status();
    EXPECT_EQ(taken.ok() ? taken->experiments : 0, 3);
    return backup;
  }

  // Into an empty server, which is killed once it has said that it is done.
  void RestoreAndCheck(const Backup& backup, const std::string& data_dir) {
    {
      ServerProcess empty(Kithd(), data_dir);
      ASSERT_TRUE(empty.WaitUntilServing()) << empty.err();
      const auto restored = empty.Connect()->Restore(SourceOf(backup.tar));
      ASSERT_TRUE(restored.ok()) << restored.status();
      EXPECT_EQ(restored->size(), 3u);
      EXPECT_EQ(empty.End(SIGKILL), -SIGKILL);
    }
    ServerProcess server(Kithd(), data_dir);
    ASSERT_TRUE(server.WaitUntilServing()) << server.err();
    const auto client = server.Connect();
    anna_.CheckRestored(*client, backup.anna_rows);
    bob_.CheckRestored(*client, backup.bob_rows);
    EXPECT_TRUE(client->Get("anna").value_or(Experiment()).pinned);
    const auto generations = client->Generations("carla");
    ASSERT_TRUE(generations.ok()) << generations.status();
    EXPECT_EQ(generations->size(), 2u);
    EXPECT_TRUE(client->Load("carla").ok());
    EXPECT_EQ(server.End(SIGTERM), 0) << server.err();
    const e2e::Finished check = CheckData(data_dir);
    EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
  }

  Voice anna_{"anna", {}, 1};
  Voice bob_{"bob", {8, "IVF2,Flat", 2, 90}, 2};
  Voice carla_{"carla", {256, "Flat", std::nullopt, 60}, 3};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> writers_;
};

TEST_F(BackupTest, HoldsAllThatWasAcknowledgedBeforeItBegan) {
  std::vector<Backup> backups;
  const int count = IsLong() ? 50 : 5;
  for (int i = 0; i < count; ++i) backups.push_back(Take());
  StopWriters();
  ASSERT_FALSE(HasFailure());
  EXPECT_GT(anna_.rows(), backups.front().anna_rows) << "nobody wrote meanwhile";
  for (int i = 0; i < count && !HasFailure(); ++i) {
    SCOPED_TRACE(i);
    RestoreAndCheck(backups[i], folder() + "/restored-" + std::to_string(i));
  }
  for (Voice* voice : {&anna_, &bob_, &carla_}) voice->Check(client());
  StopAndLook(3);
}

}  // namespace
}  // namespace kith::crash
