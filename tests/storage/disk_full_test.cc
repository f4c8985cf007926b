#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>

#include "tests/storage/storage_fixture.h"

namespace kith::storage {
namespace {

using absl::StatusCode;
using ::testing::SizeIs;

// No file may grow beyond `bytes` while it lives: write() then fails with EFBIG, which counts as a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : former_action_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &former_);
    const rlimit limit = {bytes, former_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &former_);
    std::signal(SIGXFSZ, former_action_);
  }

 private:
  void (*former_action_)(int);
  rlimit former_ = {};
};

class DiskFullTest : public StorageTest {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(Train("anna", trained_.view(), "index").ok());
  }

  // anna holds her training and so many of the additions.
  void ExpectAnna(int additions) {
    std::vector<float> values = trained_.values;
    for (int i = 0; i < additions; ++i) values = Joined(std::move(values), added_.values);
    const auto loaded = Load("anna");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->index, "index");
    EXPECT_TRUE(loaded->experiment.frames.values == values);
    EXPECT_EQ(loaded->experiment.experiment.generation.number, 1);
  }

  const retrieval::Frames trained_ = MakeFrames(100, 64, 1);
  const retrieval::Frames added_ = MakeFrames(200, 64, 2);  // 51,200 bytes
};

const auto kDiskFull = FailsSaying(StatusCode::kUnavailable, Reason::kStorage, "the disk is full");

TEST_F(DiskFullTest, AFailedSaveSaysWhatIsNeededAndChangesNothing) {
  const auto frames = MakeFrames(1'000, 256, 3);
  {
    const FileSizeLimit limit(200'000);
    EXPECT_THAT(Train("anna", frames.view(), "new"), kDiskFull);
    EXPECT_THAT(Train("anna", frames.view(), "new"),
                FailsSaying(StatusCode::kUnavailable, Reason::kStorage, "1024000 bytes for its frames"));
    EXPECT_THAT(Train("bob", trained_.view(), std::string(300'000, 'b')), kDiskFull);
    // However the index's writer speaks of the failure.
    EXPECT_THAT(store_->CommitGeneration("bob", SomeRecipe(), SomeReport(), trained_.view(),
                                         [](ByteSink sink) {
                                           absl::Status status;
                                           while (status.ok()) status = sink(std::string(70'000, 'b'));
                                           return absl::UnknownError("could not write");
                                         }),
                kDiskFull);
    ExpectAnna(0);
  }
  EXPECT_THAT(Snapshots(), SizeIs(1));
  EXPECT_THAT(*store_->List(), SizeIs(1));
  const auto committed = Train("anna", frames.view(), "new");
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ(committed->experiment.generation.number, 2);
}

TEST_F(DiskFullTest, AFailedAppendChangesNothing) {
  {
    const FileSizeLimit limit(150'000);
    EXPECT_THAT(Append("anna", 1, MakeFrames(1'000, 64, 3).view(), Request{"r", "digest"}), kDiskFull);
  }
  ExpectAnna(0);
  EXPECT_EQ(*store_->FindRequest("anna", "r"), std::nullopt);
  const auto added = Append("anna", 1, added_.view(), Request{"r", "digest"});
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->first_id, 100);
  Open();
  ExpectAnna(1);
}

TEST_F(DiskFullTest, ACommitThatFailsFailsForAllWhoShareIt) {
  ASSERT_TRUE(Train("bob", trained_.view(), "bob's").ok());
  const std::vector<Addition> additions = {{"anna", 1, added_.view(), Request{"r", "digest"}},
                                           {"bob", 1, added_.view(), std::nullopt},
                                           {"carl", 1, added_.view(), std::nullopt},
                                           {"anna", 1, added_.view(), std::nullopt}};
  {
    const FileSizeLimit limit(150'000);
    for (const auto& answer : store_->Append(additions)) EXPECT_THAT(answer, kDiskFull);
  }
  ExpectAnna(0);
  EXPECT_EQ(store_->Get("bob")->total_rows, 100);
  EXPECT_EQ(*store_->FindRequest("anna", "r"), std::nullopt);
  EXPECT_EQ(store_->Append(additions).back()->first_id, 300);
  Open();
  ExpectAnna(2);
}

// The limit moves through every place at which a save, an Add and a Delete write.
TEST_F(DiskFullTest, WhereverItHappensNothingIsHalfThere) {
  int additions = 0;
  int failures = 0;
  const auto count_or_fail = [&](const absl::Status& status) {
    if (status.ok()) return true;
    EXPECT_THAT(StatusOnly{status}, FailsWith(StatusCode::kUnavailable, Reason::kStorage));
    ++failures;
    return false;
  };
  for (rlim_t bytes = 0; bytes < 450'000; bytes += 14'500) {
    SCOPED_TRACE(bytes);
    bool has_bob = false;
    bool has_carl = false;
    {
      const FileSizeLimit limit(bytes);
      has_bob = count_or_fail(Train("bob", trained_.view(), "bob's").status());
      if (count_or_fail(Append("anna", 1, added_.view()).status())) ++additions;
      has_carl = count_or_fail(Train("carl", trained_.view(), std::string(bytes / 2, 'c')).status());
      if (has_bob && count_or_fail(store_->Delete("bob"))) has_bob = false;
    }
    if (bytes % 29'000 == 0) Open();
    ExpectAnna(additions);
    EXPECT_EQ(store_->Get("bob").ok(), has_bob);
    EXPECT_EQ(store_->Get("carl").ok(), has_carl);
    EXPECT_THAT(Snapshots(), SizeIs(1 + has_bob + has_carl));
    if (has_bob) {
      EXPECT_EQ(Load("bob")->index, "bob's");
      EXPECT_TRUE(store_->Delete("bob").ok());
    }
    if (has_carl) {
      EXPECT_EQ(Load("carl")->index, std::string(bytes / 2, 'c'));
      EXPECT_TRUE(store_->Delete("carl").ok());
    }
  }
  EXPECT_GT(failures, 10);
  EXPECT_GT(additions, 10);
}

// A file system of 4 MB, for the real ENOSPC: what SQLite maps into memory has to hold out as well.
class SmallDiskTest : public DiskFullTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs::create_directory(data_dir()));
    if (::mount("tmpfs", data_dir().c_str(), "tmpfs", 0, "size=4m") != 0) {
      GTEST_SKIP() << "mounting a tmpfs is not permitted here";
    }
    mounted_ = true;
    DiskFullTest::SetUp();
  }
  void TearDown() override {
    store_.reset();
    if (mounted_) {
      EXPECT_EQ(::umount(data_dir().c_str()), 0);
    }
  }

  // Leaves about so many bytes free.
  void FillUp(uintmax_t left) {
    const uintmax_t available = fs::space(data_dir()).available;
    std::ofstream(filler()) << std::string(available > left ? available - left : 0, 'x');
  }
  std::string filler() const { return data_dir() + "/filler"; }

  bool mounted_ = false;
};

TEST_F(SmallDiskTest, AFullDiskChangesNothingAndRecoversWithSpace) {
  EXPECT_THAT(Train("anna", MakeFrames(5'000, 256, 3).view(), "new"), kDiskFull);
  EXPECT_THAT(Train("anna", trained_.view(), std::string(5'000'000, 'n')), kDiskFull);
  EXPECT_THAT(Append("anna", 1, MakeFrames(20'000, 64, 3).view()), kDiskFull);
  EXPECT_THAT(Snapshots(), SizeIs(1));
  ExpectAnna(0);
  ASSERT_TRUE(Append("anna", 1, added_.view()).ok());
  ExpectAnna(1);
}

TEST_F(SmallDiskTest, AStartOnAFullDiskFailsClearlyAndSucceedsWithSpace) {
  ASSERT_TRUE(Append("anna", 1, added_.view()).ok());
  store_.reset();
  FillUp(0);
  EXPECT_THAT(Store::Open(data_dir()), kDiskFull);
  fs::remove(filler());
  Open();
  ExpectAnna(1);
}

TEST_F(SmallDiskTest, WhereverItHappensNothingIsHalfThere) {
  int additions = 0;
  for (uintmax_t left = 0; left < 360'000; left += 12'000) {
    SCOPED_TRACE(left);
    FillUp(left);
    const auto added = Append("anna", 1, added_.view());
    if (added.ok()) ++additions;
    const auto trained = Train("bob", trained_.view(), std::string(100'000, 'b'));
    for (const absl::Status& status : {added.status(), trained.status()}) {
      EXPECT_TRUE(status.ok() || ReasonOf(status) == "STORAGE") << status;
    }
    ExpectAnna(additions);
    fs::remove(filler());
    if (left % 24'000 == 0) Open();
    ExpectAnna(additions);
    EXPECT_EQ(store_->Get("bob").ok(), trained.ok());
    EXPECT_THAT(Snapshots(), SizeIs(trained.ok() ? 2 : 1));
    if (trained.ok()) {
      EXPECT_TRUE(store_->Delete("bob").ok());
    }
  }
  EXPECT_GT(additions, 0);
}

}  // namespace
}  // namespace kith::storage
