#include "server/storage/check.h"

#include "absl/strings/str_cat.h"
#include "tests/storage/storage_fixture.h"

namespace kith::storage {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::SizeIs;

class CheckTest : public StorageTest {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(Train("anna", MakeFrames(30, 4, 1).view(), "one").ok());
    ASSERT_TRUE(Append("anna", 1, MakeFrames(5, 4, 2).view(), Request{"r", "d"}).ok());
    ASSERT_TRUE(Train("anna", MakeFrames(40, 4, 3).view(), "two").ok());
    ASSERT_TRUE(Train("bob", MakeFrames(30, 4, 4).view(), "bob").ok());
    ASSERT_TRUE(store_->SetPinned("bob", true).ok());
    store_.reset();
  }

  // Each report as "what generations/rows" and a "!" for each fault.
  absl::Status Check() {
    reports_.clear();
    const auto read_index = [&](const GenerationInfo&, retrieval::FrameView, ByteSource source) {
      char byte = 0;
      const auto count = source({&byte, 1});
      return byte == unreadable_ ? Error(Reason::kBadIndex, "this is no index") : count.status();
    };
    return CheckDataFolder(data_dir(), read_index, [&](const Checked& checked) {
      reports_.push_back(absl::StrCat(checked.what, " ", checked.generations, "/", checked.rows,
                                      std::string(checked.faults.size(), '!')));
    });
  }

  char unreadable_ = '\0';
  std::vector<std::string> reports_;
};

TEST_F(CheckTest, AllIsWell) {
  const absl::Status status = Check();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(reports_, ElementsAre("catalogue 0/0", "experiment \"anna\" 2/75", "experiment \"bob\" 1/30"));
  EXPECT_TRUE(Check().ok());  // and is so still
}

TEST_F(CheckTest, AnyDamageIsToldOfItsExperiment) {
  const auto damage = FailsSaying(StatusCode::kDataLoss, Reason::kStorage, "faults found");
  for (const char* sql : {"UPDATE generations SET updated = 1 WHERE experiment = 'anna' AND number = 1",
                          "UPDATE experiments SET created = 1 WHERE name = 'anna'",
                          "UPDATE addition_chunks SET data = zeroblob(length(data))", "UPDATE requests SET rows = 9",
                          "DELETE FROM additions", "DELETE FROM reigns WHERE id = 1"}) {
    SCOPED_TRACE(sql);
    fs::copy_file(catalogue_path(), folder_ / "sound");
    Execute(sql);
    EXPECT_THAT(StatusOnly{Check()}, damage);
    ASSERT_THAT(reports_, SizeIs(3));
    EXPECT_EQ(reports_[1].back(), '!');
    EXPECT_EQ(reports_[2], "experiment \"bob\" 1/30");
    fs::rename(folder_ / "sound", catalogue_path());
    EXPECT_TRUE(Check().ok());
  }
  Execute("UPDATE pins SET checksum = ''");
  EXPECT_THAT(StatusOnly{Check()}, damage);
  EXPECT_EQ(reports_.front(), "catalogue 0/0!");
}

TEST_F(CheckTest, RowsThatBelongToNothingAreTold) {
  Execute("PRAGMA foreign_keys = OFF; DELETE FROM experiments WHERE name = 'bob'");
  EXPECT_FALSE(Check().ok());
  EXPECT_EQ(reports_.front().substr(0, 14), "catalogue 0/0!");
}

// Looking must not let SQLite drop what is behind the damage; a start puts it right, and says so.
TEST_F(CheckTest, ADamagedLogIsToldAndLeftForTheNextStart) {
  Open();
  ASSERT_TRUE(Append("bob", 1, MakeFrames(5, 4, 5).view(), Request{"x", "d"}).ok());
  ASSERT_TRUE(Append("bob", 1, MakeFrames(5, 4, 6).view(), Request{"y", "d"}).ok());
  fs::copy(data_dir(), folder_ / "killed", fs::copy_options::recursive);
  store_.reset();
  fs::remove_all(data_dir());
  fs::rename(folder_ / "killed", data_dir());
  const std::string log = catalogue_path() + "-wal";
  std::fstream file(log, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(32 + 16).put('?');  // a checksum of the first frame
  file.close();
  const auto size = fs::file_size(log);

  EXPECT_THAT(StatusOnly{Check()}, FailsSaying(StatusCode::kDataLoss, Reason::kStorage, "faults found"));
  EXPECT_THAT(reports_, ElementsAre("catalogue 0/0!"));
  EXPECT_EQ(fs::file_size(log), size);

  std::vector<std::string> repairs;
  StoreOptions options;
  options.on_repair = [&](const std::string& what) { repairs.push_back(what); };
  auto store = Store::Open(data_dir(), options);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_THAT(repairs, ElementsAre(::testing::HasSubstr(log)));
  EXPECT_EQ((*store)->Get("bob")->total_rows, 40);
  store->reset();
  EXPECT_TRUE(Check().ok());
}

TEST_F(CheckTest, EveryFileIsRead) {
  for (const std::string& snapshot : Snapshots()) {
    for (const char* file : {"index.faiss", "total_fea.npy", "manifest.json"}) {
      const std::string path = absl::StrCat(data_dir(), "/snapshots/", snapshot, "/", file);
      SCOPED_TRACE(path);
      fs::copy_file(path, folder_ / "sound");
      std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(2).put('?');
      EXPECT_EQ(Check().code(), StatusCode::kDataLoss);
      fs::rename(folder_ / "sound", path);
    }
  }
  EXPECT_TRUE(Check().ok());
}

TEST_F(CheckTest, AnIndexThatCannotBeReadIsAFault) {
  unreadable_ = 'o';
  EXPECT_EQ(Check().code(), StatusCode::kDataLoss);
  EXPECT_THAT(reports_, ElementsAre("catalogue 0/0", "experiment \"anna\" 2/75!", "experiment \"bob\" 1/30"));
}

TEST_F(CheckTest, AFolderInUseOrNoneIsNotChecked) {
  Open();
  EXPECT_THAT(StatusOnly{Check()}, FailsSaying(StatusCode::kUnavailable, Reason::kStorage, "in use"));
  store_.reset();
  fs::remove_all(data_dir());
  EXPECT_THAT(StatusOnly{Check()}, FailsSaying(StatusCode::kInvalidArgument, Reason::kBadParameter, data_dir()));
  EXPECT_FALSE(fs::exists(data_dir()));
}

}  // namespace
}  // namespace kith::storage
