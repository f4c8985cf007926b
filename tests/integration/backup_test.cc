// Backup and Restore of a server that goes on serving.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

class BackupTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("anna", frames_);
    Add("anna", more_);
    Train("bob", more_);
  }

  std::string Backup() {
    std::string tar;
    const auto info = client().Backup([&](absl::Span<const char> bytes) {
      tar.append(bytes.data(), bytes.size());
      return absl::OkStatus();
    });
    EXPECT_TRUE(info.ok()) << info.status();
    if (info.ok()) {
      EXPECT_EQ(info->bytes, static_cast<int64_t>(tar.size()));
    }
    return tar;
  }

  absl::StatusOr<std::vector<Experiment>> Restore(const std::string& tar, bool replace = false) {
    RestoreOptions options;
    options.replace = replace;
    size_t sent = 0;
    return client().Restore(
        [&](absl::Span<char> buffer) -> absl::StatusOr<size_t> {
          const size_t count = tar.copy(buffer.data(), buffer.size(), sent);
          sent += count;
          return count;
        },
        options);
  }

  const retrieval::Frames frames_ = SpeechLike(400, 16);
  const retrieval::Frames more_ = SpeechLike(50, 16, 2);
};

TEST_F(BackupTest, WhatIsRestoredIsAsItWas) {
  Train("anna", more_);  // generation 2; the first, with its addition, is kept
  ASSERT_TRUE(client().Pin("bob").ok());
  const std::string tar = Backup();
  ASSERT_TRUE(client().Delete("anna").ok());
  ASSERT_TRUE(client().Delete("bob").ok());
  const auto restored = Restore(tar);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->size(), 2u);
  EXPECT_EQ(Search("anna", Rows(more_, 7, 1)).ids.front(), 7);
  EXPECT_EQ(Search("anna", Rows(more_, 7, 1)).generation, 2);
  ASSERT_TRUE(client().Rollback("anna").ok());
  EXPECT_EQ(Search("anna", Rows(more_, 7, 1)).ids.front(), 407);
  EXPECT_TRUE(Get("bob").pinned);
  WaitUntil([&] { return Get("bob").resident; });
  Restart();
  EXPECT_EQ(Get("anna").rows, 450);
  EXPECT_EQ(Add("bob", more_).first_id, 50);
}

TEST_F(BackupTest, WhatExistsIsReplacedOnlyWhenThatIsWanted) {
  const std::string tar = Backup();
  Train("carla", frames_);
  Add("bob", frames_);
  ASSERT_TRUE(client().Delete("anna").ok());
  EXPECT_THAT(Restore(tar).status(), FailsWith(absl::StatusCode::kAlreadyExists, "BAD_PARAMETER", "bob"));
  EXPECT_EQ(client().List()->size(), 2u) << "nothing was done";
  EXPECT_EQ(Get("bob").rows, 450);
  const auto restored = Restore(tar, true);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(Get("anna").rows, 450);
  EXPECT_EQ(Get("bob").rows, 50);
  EXPECT_EQ(Get("carla").rows, 400) << "it is in no backup, and nobody's business";
  EXPECT_EQ(Search("bob", Rows(more_, 7, 1)).ids.front(), 7);
  EXPECT_EQ(Add("bob", more_).first_id, 50);
}

TEST_F(BackupTest, OneThatIsBeingTrainedIsNotReplaced) {
  const std::string tar = Backup();
  {
    const auto training = StartUpload("bob", frames_);
    EXPECT_THAT(Restore(tar, true).status(),
                FailsWith(absl::StatusCode::kAborted, "TRAINING_IN_PROGRESS", "'bob' is being trained"));
  }
  WaitUntil([&] { return !Get("bob").training; });
  EXPECT_TRUE(Restore(tar, true).ok());
}

TEST_F(BackupTest, WhatIsNoBackupIsRefusedAndChangesNothing) {
  const std::string tar = Backup();
  EXPECT_THAT(Restore("").status(), IsInvalid("BAD_PARAMETER", ""));
  EXPECT_THAT(Restore("this is no tar").status(), IsInvalid("BAD_PARAMETER", ""));
  EXPECT_FALSE(Restore(tar.substr(0, tar.size() / 2), true).ok());
  std::string damaged = tar;
  const size_t frames = damaged.find("\x93NUMPY");
  ASSERT_NE(frames, std::string::npos);
  std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(frames) + 500, 64, 'x');
  EXPECT_THAT(Restore(damaged, true).status(), FailsWith(absl::StatusCode::kDataLoss, "STORAGE", ""));
  EXPECT_EQ(client().List()->size(), 2u);
  EXPECT_EQ(Get("anna").rows, 450);
  EXPECT_EQ(Search("anna", Rows(more_, 7, 1)).ids.front(), 407);
  EXPECT_TRUE(Restore(tar, true).ok());
}

TEST_F(BackupTest, OneOfAServerWithNothingIsEmpty) {
  const std::string tar = Backup();
  ASSERT_TRUE(client().Delete("anna").ok());
  ASSERT_TRUE(client().Delete("bob").ok());
  const std::string empty = Backup();
  const auto restored = Restore(empty);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_TRUE(restored->empty());
  EXPECT_TRUE(Restore(tar).ok());
}

TEST_F(BackupTest, ADamagedVoiceIsNamedAndTheOthersAreInIt) {
  Stop();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data_dir())) {
    if (entry.path().filename() != "total_fea.npy" || entry.file_size() > 4000) continue;  // bob's
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1000).put('x');
  }
  Start();
  std::string tar;
  const auto info = client().Backup([&](absl::Span<const char> bytes) {
    tar.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  });
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->experiments, 1);
  ASSERT_EQ(info->left_out.size(), 1u);
  EXPECT_EQ(info->left_out[0].experiment, "bob");
  EXPECT_THAT(info->left_out[0].message, ::testing::HasSubstr("total_fea.npy is damaged"));
  ASSERT_TRUE(client().Delete("anna").ok());
  const auto restored = Restore(tar);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->size(), 1u);
  EXPECT_EQ(Search("anna", Rows(more_, 7, 1)).ids.front(), 407);
}

TEST_F(BackupTest, ItStandsForOneMomentWhileOthersAdd) {
  std::atomic<bool> stop{false};
  std::atomic<int64_t> acknowledged{50};
  std::thread adds([&] {
    while (!stop) acknowledged = Add("bob", Rows(more_, 0, 5)).total_rows;
  });
  WaitUntil([&] { return acknowledged > 60; });
  const int64_t before = acknowledged;
  const std::string tar = Backup();
  const int64_t after = acknowledged + 5;
  stop = true;
  adds.join();
  EXPECT_GT(Get("bob").rows, 60);
  const auto restored = Restore(tar, true);
  ASSERT_TRUE(restored.ok()) << restored.status();
  const Experiment bob = Get("bob");
  EXPECT_GE(bob.rows, before);
  EXPECT_LE(bob.rows, after);
  EXPECT_EQ(bob.rows % 5, 0) << "no addition is half in it";
  EXPECT_EQ(Search("bob", Rows(more_, 0, 1)).ids.front() % 5, 0);
  EXPECT_EQ(Add("bob", more_).first_id, bob.rows);
}

TEST_F(BackupTest, AClientThatGoesAwayLeavesTheNextOneItsTurn) {
  const absl::Status status =
      client().Backup([](absl::Span<const char>) { return absl::CancelledError("enough"); }).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  const std::string tar = Backup();
  size_t sent = 0;
  RestoreOptions replace;
  replace.replace = true;
  const auto aborted = client().Restore(
      [&](absl::Span<char> buffer) -> absl::StatusOr<size_t> {
        if (sent > 0) return absl::CancelledError("enough");
        sent = tar.copy(buffer.data(), std::min<size_t>(buffer.size(), 5000));
        return sent;
      },
      replace);
  EXPECT_EQ(aborted.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Get("anna").rows, 450);
  EXPECT_TRUE(Restore(tar, true).ok());
}

}  // namespace
}  // namespace kith::testing
