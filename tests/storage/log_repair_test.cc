#include "server/storage/log_repair.h"

#include <fstream>
#include <sstream>

#include "server/storage/sqlite.h"
#include "tests/storage/storage_fixture.h"

namespace kith::storage {
namespace {

constexpr int64_t kHeader = 32;
constexpr int64_t kFrame = 24 + 4096;

std::string ReadFile(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

// The log of a database that is written and not closed, as a killed process leaves it.
class LogRepairTest : public StorageTest {
 protected:
  void SetUp() override {
    auto database = Database::Open(path("live"), Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(database.ok());
    Query wal(*database, "PRAGMA journal_mode = WAL");
    ASSERT_TRUE(wal.Run().ok());
    ASSERT_TRUE(database->Execute("CREATE TABLE t (number INTEGER, text TEXT)").ok());
    // Begins the log anew, over frames of an earlier one.
    for (int i = 0; i < 12; ++i) Insert(*database, i);
    ASSERT_TRUE(Query(*database, "PRAGMA wal_checkpoint(TRUNCATE)").Run().ok());
    for (int i = 0; i < 9; ++i) Insert(*database, i);
    ASSERT_TRUE(Query(*database, "PRAGMA wal_checkpoint(RESTART)").Run().ok());
    for (int i = 0; i < 4; ++i) Insert(*database, i);
    for (const char* end : {"", "-wal"}) fs::copy_file(path("live") + end, path("killed") + end);
    log_ = ReadFile(path("killed-wal"));
    ASSERT_GT(log_.size(), static_cast<size_t>(kHeader + 5 * kFrame));
    ASSERT_EQ(RowsWith(log_), 25);
  }

  static void Insert(Database& database, int number) {
    ASSERT_TRUE(Query(database, "INSERT INTO t VALUES (?, ?)", int64_t{number}, std::string(1000, 'x')).Run().ok());
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  // How many rows SQLite finds with that log.
  int64_t RowsWith(const std::string& log) const {
    for (const char* end : {"-wal", "-shm"}) fs::remove(path("copy") + end);
    fs::copy_file(path("killed"), path("copy"), fs::copy_options::overwrite_existing);
    WriteFile(path("copy-wal"), log);
    auto database = Database::Open(path("copy"), Database::Mode::kReadWriteCreate);
    if (!database.ok()) return -1;
    Query count(*database, "SELECT count(*) FROM t");
    return count.Next() ? count.Integer(0) : -1;
  }

  // What RepairLog makes of it.
  std::string Repaired(const std::string& log) const {
    WriteFile(path("log"), log);
    EXPECT_TRUE(RepairLog(path("log")).ok());
    return ReadFile(path("log"));
  }

  std::string log_;
};

// The flip makes SQLite drop all that follows. Put right are the header, and every byte that has a weight of its own;
// with the others all rows are there, and the flipped byte stays what it is.
TEST_F(LogRepairTest, AFlippedByteCostsNoMoreThanItself) {
  int put_right = 0;
  int kept = 0;
  int refused = 0;
  for (int64_t position = 0; position < kHeader + 4 * kFrame; position += position % kFrame < 60 ? 1 : 101) {
    SCOPED_TRACE(position);
    std::string damaged = log_;
    damaged[position] = static_cast<char>(damaged[position] ^ (1 << position % 7));
    WriteFile(path("log"), damaged);
    const auto found = CountLogRepairs(path("log"));
    EXPECT_TRUE(ReadFile(path("log")) == damaged) << "looking changes nothing";
    const auto changed = RepairLog(path("log"));
    const absl::Status status = changed.status();
    EXPECT_EQ(found.status(), status);
    const std::string repaired = ReadFile(path("log"));
    if (!status.ok()) {
      ++refused;
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
      EXPECT_TRUE(repaired == damaged);
    } else if (repaired == log_) {
      EXPECT_GT(*found, 0);
      EXPECT_EQ(*changed, *found);
      ++put_right;
    } else {
      ++kept;
      ASSERT_GE(position, kHeader);
      EXPECT_EQ(repaired[position], damaged[position]);
      EXPECT_TRUE(Repaired(repaired) == repaired);
      if (kept % 20 == 0) {
        EXPECT_LT(RowsWith(damaged), 25);
        EXPECT_THAT(RowsWith(repaired), ::testing::AnyOf(25, -1)) << "SQLite may find its page damaged";
      }
    }
  }
  EXPECT_GT(put_right, 3 * kept);
  EXPECT_GT(kept, 3 * refused);
}

TEST_F(LogRepairTest, EachFrameMayHaveOne) {
  std::string damaged = log_;
  for (const int64_t position : {int64_t{5}, kHeader + 17, kHeader + kFrame + 1000, kHeader + 3 * kFrame + 4000}) {
    damaged[position] = static_cast<char>(damaged[position] ^ 0xff);
  }
  EXPECT_TRUE(Repaired(damaged) == log_);
}

// SQLite writes over frames of a transaction that is under way: one that was killed can look like one damaged byte.
TEST_F(LogRepairTest, WhatWasNeverCommittedIsNoDamage) {
  auto database = Database::Open(path("live"), Database::Mode::kReadWriteCreate);
  ASSERT_TRUE(database.ok());
  for (int i = 0; i < 4; ++i) Insert(*database, i);
  const auto committed = static_cast<int64_t>(ReadFile(path("live-wal")).size());
  ASSERT_GT(committed, kHeader + 3 * kFrame);
  ASSERT_TRUE(database->Execute("PRAGMA cache_size = 5; BEGIN").ok());
  for (int i = 0; i < 200; ++i) Insert(*database, i);
  const std::string log = ReadFile(path("live-wal"));
  ASSERT_GT(log.size(), committed + 10 * kFrame) << "nothing of it has come into the log";
  EXPECT_TRUE(Repaired(log) == log);
  for (int64_t position = committed; position < committed + 3 * kFrame; position += position % kFrame < 60 ? 1 : 101) {
    const int64_t place = (position - kHeader) % kFrame;
    if (place >= 4 && place < 8) continue;  // there it says whether the frame ends a commit
    SCOPED_TRACE(position);
    std::string torn = log;
    torn[position] = static_cast<char>(torn[position] ^ (1 << position % 7));
    WriteFile(path("log"), torn);
    const auto found = CountLogRepairs(path("log"));
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, 0);
  }
  std::string damaged = log;
  damaged[kHeader + kFrame + 1000] = static_cast<char>(damaged[kHeader + kFrame + 1000] ^ 0xff);
  EXPECT_TRUE(Repaired(damaged) == log) << "of what was committed before";
}

TEST_F(LogRepairTest, WhatACrashLeavesStaysAsItIs) {
  EXPECT_TRUE(Repaired(log_) == log_);
  for (const int64_t size : {int64_t{0}, int64_t{31}, kHeader, kHeader + 100, kHeader + 2 * kFrame + 24}) {
    const std::string cut = log_.substr(0, size);
    EXPECT_TRUE(Repaired(cut) == cut) << size;
  }
  // A frame's header whose page has not come; a log that never got its header.
  std::string torn = log_;
  torn.replace(kHeader + 3 * kFrame + 24, 4096, std::string(4096, '\0'));
  EXPECT_TRUE(Repaired(torn) == torn);
  const std::string zeros(log_.size(), '\0');
  EXPECT_TRUE(Repaired(zeros) == zeros);
  EXPECT_TRUE(RepairLog(path("missing")).ok());
}

}  // namespace
}  // namespace kith::storage
