// A disk that is full, files that are damaged: what a client hears, and what goes on.
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

namespace fs = std::filesystem;

// No file may grow beyond `bytes` while it lives, as if the disk were full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : former_action_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &former_);
    const rlimit limit = {bytes, former_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &former_);
    std::signal(SIGXFSZ, former_action_);
  }

 private:
  void (*former_action_)(int);
  rlimit former_ = {};
};

class StorageTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", frames_);
  }

  const retrieval::Frames frames_ = SpeechLike(200, 16);
  const retrieval::Frames large_ = SpeechLike(20000, 32, 2);  // 2.5 MB
};

TEST_F(StorageTest, AFullDiskIsUnavailableAndNothingChanges) {
  {
    const FileSizeLimit limit(1 << 20);
    MemorySource train(View(large_));
    const absl::Status status = client().Train("voice", train).status();
    EXPECT_THAT(status, FailsWith(absl::StatusCode::kUnavailable, "STORAGE", "the disk is full"));
    EXPECT_TRUE(RetryDelay(status).has_value());
    MemorySource first(View(large_));
    EXPECT_THAT(client().Train("new", first).status(), FailsWith(absl::StatusCode::kUnavailable, "STORAGE", "full"));
    const auto more = SpeechLike(40000, 16, 3);
    MemorySource add(View(more));
    EXPECT_THAT(client().Add("voice", add).status(), FailsWith(absl::StatusCode::kUnavailable, "STORAGE", "full"));
    EXPECT_EQ(Search("voice", Rows(frames_, 7, 1)).ids.front(), 7);
    EXPECT_EQ(Get("voice").rows, 200);
    EXPECT_FALSE(Get("voice").training);
    EXPECT_EQ(client().List()->size(), 1u);
  }
  EXPECT_EQ(Add("voice", frames_).first_id, 200);
  EXPECT_EQ(Train("voice", large_).generation, 2);
}

TEST_F(StorageTest, ADamagedExperimentSaysSoAndTheOthersServe) {
  Stop();
  for (const auto& entry : fs::recursive_directory_iterator(data_dir() / "snapshots")) {
    if (entry.path().filename() != "index.faiss") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(200);
    file.write("damage", 6);
  }
  Start();
  EXPECT_THAT(client().Search("voice", View(frames_)).status(),
              FailsWith(absl::StatusCode::kDataLoss, "STORAGE", "index.faiss"));
  const Experiment failed = Get("voice");
  EXPECT_EQ(failed.state, Experiment::State::kFailed);
  EXPECT_THAT(failed.message, ::testing::HasSubstr("index.faiss"));
  EXPECT_EQ(client().List()->size(), 1u);
  EXPECT_THAT(Refusal(client().StreamExpand("voice")),
              FailsWith(absl::StatusCode::kDataLoss, "STORAGE", "index.faiss"));
  MemorySource add(View(frames_));
  EXPECT_THAT(client().Add("voice", add).status(), FailsWith(absl::StatusCode::kDataLoss, "STORAGE", "index.faiss"));

  Train("other", frames_);
  EXPECT_EQ(Search("other", Rows(frames_, 7, 1)).ids.front(), 7);
  const Experiment healed = Train("voice", frames_);
  EXPECT_EQ(healed.state, Experiment::State::kReady);
  EXPECT_EQ(Search("voice", Rows(frames_, 7, 1)).ids.front(), 7);
  Restart();
  EXPECT_EQ(Get("voice").state, Experiment::State::kReady);
}

TEST_F(StorageTest, ADamagedExperimentCanBeDeleted) {
  Stop();
  for (const auto& entry : fs::recursive_directory_iterator(data_dir() / "snapshots")) {
    if (entry.path().filename() == "total_fea.npy") fs::resize_file(entry.path(), 100);
  }
  Start();
  EXPECT_EQ(client().Search("voice", View(frames_)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Get("voice").state, Experiment::State::kFailed);
  EXPECT_TRUE(client().Delete("voice").ok());
  EXPECT_TRUE(client().List()->empty());
  EXPECT_EQ(Train("voice", frames_).generation, 1);
}

}  // namespace
}  // namespace kith::testing
