// One byte of the data folder is another: kithd notices it, or it does not matter. It never crashes, and never gives a
// wrong answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "client/cpp/error.h"
#include "tests/crash/crash_fixture.h"
#include "tests/crash/voice.h"

namespace kith::crash {
namespace {

namespace fs = std::filesystem;

void FlipByte(const fs::path& path, int64_t position, int bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(position);
  const char byte = static_cast<char>(file.get() ^ (1 << bit));
  file.seekp(position);
  file.put(byte);
  ASSERT_TRUE(file.good()) << path;
}

// A killed server's folder, so that the write-ahead log holds a part of it: anna and bob with two generations and
// additions each.
class ByteFlipTest : public CrashTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Start());
    for (Voice* voice : {&anna_, &bob_}) {
      ASSERT_TRUE(voice->Train(client()).ok());
      ASSERT_TRUE(voice->Add(client(), 7).ok());
      ASSERT_TRUE(voice->Train(client()).ok());
    }
    // What was written so far moves into the database file, what follows stays in the log.
    EXPECT_EQ(server().End(SIGTERM), 0);
    ASSERT_NO_FATAL_FAILURE(Start());
    for (int i = 0; i < 4; ++i) {
      for (Voice* voice : {&anna_, &bob_}) ASSERT_TRUE(voice->Add(client(), 7).ok());
    }
    EXPECT_EQ(server().End(SIGKILL), -SIGKILL);
    Forget();
    fs::rename(data_dir(), sound());
  }

  std::string sound() const { return data_dir() + ".sound"; }

  void MakeFlipped(const fs::path& file, int64_t position, int bit) {
    fs::remove_all(data_dir());
    fs::copy(sound(), data_dir(), fs::copy_options::recursive);
    FlipByte(fs::path(data_dir()) / file, position, bit);
  }

  // The server over the folder with that byte flipped, and the check of it.
  void ExpectNoticedOrHarmless(const fs::path& file, int64_t position, int bit) {
    MakeFlipped(file, position, bit);
    const bool is_snapshot = file.string().rfind("snapshots/", 0) == 0;
    const bool noticed = IsNoticed(is_snapshot);
    MakeFlipped(file, position, bit);
    const e2e::Finished check = CheckData(data_dir());
    EXPECT_GE(check.exit_code, 0) << "it crashed";
    if (noticed || is_snapshot) {
      EXPECT_EQ(check.exit_code, 1) << "kithd noticed it, --check did not: " << check.out << check.err;
    }
  }

  // Whether a server tells of damage.
  bool IsNoticed(bool is_snapshot) {
    ServerProcess server(Kithd(), data_dir());
    if (!server.WaitUntilServing()) {
      EXPECT_EQ(server.Wait(), 1) << server.err();
      EXPECT_NE(server.err().find(data_dir()), std::string::npos) << server.err();
      return true;
    }
    const auto client = server.Connect();
    int wrong = 0;
    for (Voice* voice : {&anna_, &bob_}) wrong += AnswersRightOrFails(*voice, *client) ? 0 : 1;
    if (is_snapshot) {
      EXPECT_LE(wrong, 1) << "one snapshot costs one voice";
    }
    EXPECT_EQ(server.End(SIGKILL), -SIGKILL) << "it crashed: " << server.err();
    return wrong > 0 || server.err().find("put right") != std::string::npos;
  }

  // False where something is wrong, and it says so; a wrong answer is a failure of the test.
  static bool AnswersRightOrFails(Voice& voice, Client& client) {
    const auto loaded = client.Load(voice.name());
    const auto shown = client.Get(voice.name());
    if (!shown.ok()) {
      // Its name cannot be read any more; the list tells that something is wrong.
      EXPECT_EQ(ErrorReason(shown.status()), "EXPERIMENT_NOT_FOUND") << shown.status();
      const auto list = client.List();
      EXPECT_TRUE(!list.ok() || std::any_of(list->begin(), list->end(),
                                            [](const Experiment& experiment) {
                                              return experiment.state != Experiment::State::kReady;
                                            }))
          << voice.name() << " is gone without a word";
      return false;
    }
    if (shown->state == Experiment::State::kReady) {
      EXPECT_TRUE(loaded.ok()) << loaded.status();
      voice.Check(client, Voice::Former::kMayBeDamaged);
      return true;
    }
    EXPECT_FALSE(shown->message.empty());
    if (shown->state == Experiment::State::kDegraded) {
      voice.CheckDegraded(client);
    } else {
      EXPECT_TRUE(absl::IsDataLoss(loaded.status())) << loaded.status();
    }
    return false;
  }

  // All bytes of the file, `every` apart, from a random one on.
  void FlipThrough(const fs::path& file, int64_t every) {
    const auto size = static_cast<int64_t>(fs::file_size(fs::path(sound()) / file));
    for (int64_t position = static_cast<int64_t>(random_() % every); position < size && !HasFailure();
         position += every) {
      const int bit = static_cast<int>(random_() % 8);
      SCOPED_TRACE(file.string() + " byte " + std::to_string(position) + " bit " + std::to_string(bit));
      ExpectNoticedOrHarmless(file, position, bit);
    }
  }

  // So many flips in the file.
  void FlipSome(const fs::path& file, int64_t flips) {
    const auto size = static_cast<int64_t>(fs::file_size(fs::path(sound()) / file));
    FlipThrough(file, std::max<int64_t>(1, size / flips));
  }

  std::mt19937_64 random_{static_cast<uint64_t>(Setting("KITH_CRASH_SEED", 1))};
  Voice anna_{"anna", {}, 1};
  Voice bob_{"bob", {8, "IVF2,Flat", 2, 90}, 2};
};

int64_t Flips() { return IsLong() ? 100 : 2; }

TEST_F(ByteFlipTest, InASnapshot) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(sound()) / "snapshots")) {
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), sound()));
  }
  std::sort(files.begin(), files.end());
  ASSERT_GE(files.size(), 6u);
  for (const fs::path& file : files) FlipSome(file, Flips() / 2);
}

TEST_F(ByteFlipTest, InTheCatalogue) { FlipSome("catalogue.sqlite", 3 * Flips()); }

TEST_F(ByteFlipTest, InTheWriteAheadLog) {
  ASSERT_GT(fs::file_size(sound() + "/catalogue.sqlite-wal"), 10'000u);
  FlipSome("catalogue.sqlite-wal", 3 * Flips());
}

// SQLite makes it anew at the start.
TEST_F(ByteFlipTest, InTheIndexOfTheLog) { FlipSome("catalogue.sqlite-shm", Flips()); }

}  // namespace
}  // namespace kith::crash
