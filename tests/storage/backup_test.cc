#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "server/storage/tar_writer.h"
#include "tests/storage/storage_fixture.h"

namespace kith::storage {
namespace {

using absl::StatusCode;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// anna has two generations, each with an addition, and a pin; bob has one generation.
class BackupTest : public StorageTest {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(Train("anna", one_.view(), "anna 1", Request{"t", "d"}).ok());
    ASSERT_TRUE(Append("anna", 1, added_.view(), Request{"a", "d"}).ok());
    ASSERT_TRUE(Train("anna", two_.view(), "anna 2").ok());
    ASSERT_TRUE(Append("anna", 2, added_.view()).ok());
    ASSERT_TRUE(store_->SetPinned("anna", true).ok());
    ASSERT_TRUE(Train("bob", one_.view(), "bob").ok());
  }

  std::string tar() const { return (folder_ / "backup.tar").string(); }

  absl::StatusOr<BackupSummary> WriteBackup() {
    std::ofstream file(tar(), std::ios::binary);
    return store_->WriteBackup([&](absl::Span<const char> bytes) {
      file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      return absl::OkStatus();
    });
  }

  // Those that were restored.
  absl::StatusOr<std::vector<ExperimentRecord>> Restore(const std::string& path, bool replace) {
    std::vector<std::string> announced;
    std::vector<ExperimentRecord> restored;
    const absl::Status status = store_->Restore(
        path, replace,
        [&](const std::vector<std::string>& names) {
          announced = names;
          return absl::OkStatus();
        },
        [&](const ExperimentRecord& record) { restored.push_back(record); });
    if (!status.ok()) return status;
    for (size_t i = 0; i < restored.size(); ++i) EXPECT_EQ(announced.at(i), restored[i].name);
    return restored;
  }

  std::string PathOf(const std::string& name, int64_t generation, const std::string& file) {
    auto catalogue = Database::Open(catalogue_path(), Database::Mode::kReadOnly);
    EXPECT_TRUE(catalogue.ok()) << catalogue.status();
    Query query(*catalogue, "SELECT snapshot FROM generations WHERE experiment = ? AND number = ?", name, generation);
    EXPECT_TRUE(query.Next()) << query.status();
    return absl::StrCat(data_dir(), "/snapshots/", std::string(query.Text(0)), "/", file);
  }

  void Damage(const std::string& name, int64_t generation, const std::string& file) {
    std::fstream stream(PathOf(name, generation, file), std::ios::in | std::ios::out | std::ios::binary);
    const char byte = static_cast<char>(stream.get() ^ 0x10);
    stream.seekp(0).put(byte);
  }

  // The store goes on with another data folder, which is empty.
  void OpenElsewhere() {
    store_.reset();
    fs::rename(data_dir(), folder_ / "former");
    Open();
  }

  void ExpectAnna() {
    const auto anna = Load("anna");
    ASSERT_TRUE(anna.ok()) << anna.status();
    EXPECT_EQ(anna->index, "anna 2");
    EXPECT_EQ(anna->experiment.frames.values, Joined(two_.values, added_.values));
    EXPECT_EQ(anna->experiment.experiment.created, absl::FromUnixSeconds(1'700'000'000));
    EXPECT_TRUE(anna->experiment.experiment.pinned);
    const auto former = Load("anna", 1);
    ASSERT_TRUE(former.ok()) << former.status();
    EXPECT_EQ(former->index, "anna 1");
    EXPECT_EQ(former->experiment.frames.values, Joined(one_.values, added_.values));
    EXPECT_TRUE(Append("anna", 2, added_.view(), Request{"a", "d"})->repeated);
  }

  // Packs one entry, as tar(1) would not.
  void PackFile(const std::string& path, int times = 1) {
    std::ofstream file(tar(), std::ios::binary);
    const auto sink = [&](absl::Span<const char> bytes) {
      file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      return absl::OkStatus();
    };
    TarWriter writer(sink, now_);
    for (int i = 0; i < times; ++i) {
      std::string_view rest = "evil";
      ASSERT_TRUE(writer
                      .AddFile(path, 4,
                               [&](absl::Span<char> out) -> absl::StatusOr<size_t> {
                                 const size_t count = rest.copy(out.data(), out.size());
                                 rest.remove_prefix(count);
                                 return count;
                               })
                      .ok());
    }
    ASSERT_TRUE(writer.Finish().ok());
  }

  void Run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

  const retrieval::Frames one_ = MakeFrames(30, 4, 1);
  const retrieval::Frames two_ = MakeFrames(50, 4, 2);
  const retrieval::Frames added_ = MakeFrames(7, 4, 3);
};

TEST_F(BackupTest, UnpackedByTarItIsADataFolder) {
  const auto summary = WriteBackup();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->experiments, 2);
  EXPECT_EQ(summary->generations, 3);
  EXPECT_EQ(summary->bytes, static_cast<int64_t>(fs::file_size(tar())));
  EXPECT_TRUE(fs::is_empty(data_dir() + "/scratch"));
  store_.reset();
  fs::remove_all(data_dir());
  fs::create_directory(data_dir());
  Run("tar -xf " + tar() + " -C " + data_dir());
  Open();
  EXPECT_THAT(Snapshots(), SizeIs(3));
  ExpectAnna();
  EXPECT_EQ(Load("bob")->index, "bob");
}

TEST_F(BackupTest, IsOfOneMomentWhateverHappensMeanwhile) {
  std::string bytes;
  const auto summary = store_->WriteBackup([&](absl::Span<const char> piece) {
    if (bytes.empty()) {
      EXPECT_TRUE(store_->Delete("bob").ok());
      EXPECT_TRUE(Append("anna", 2, one_.view()).ok());
      EXPECT_TRUE(Train("anna", one_.view(), "anna 3").ok());
      EXPECT_TRUE(Train("carl", one_.view(), "carl").ok());
    }
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  ASSERT_TRUE(summary.ok()) << summary.status();
  // What was held for it is gone now: anna's two and carl's are left.
  EXPECT_THAT(Snapshots(), SizeIs(3));
  std::ofstream(tar(), std::ios::binary) << bytes;
  OpenElsewhere();
  const auto restored = Restore(tar(), false);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_THAT(*restored, SizeIs(2));
  ExpectAnna();
  EXPECT_EQ(Load("bob")->index, "bob");
}

TEST_F(BackupTest, TheErrorOfTheSinkIsTheBackups) {
  EXPECT_THAT(store_->WriteBackup([&](absl::Span<const char>) { return Error(Reason::kCancelled, "the client left"); }),
              FailsSaying(StatusCode::kCancelled, Reason::kCancelled, "the client left"));
  ASSERT_TRUE(store_->Delete("bob").ok());
  EXPECT_THAT(Snapshots(), SizeIs(2));
}

TEST_F(BackupTest, WhatIsDamagedIsLeftOutAndNamed) {
  Damage("bob", 1, "total_fea.npy");
  const auto summary = WriteBackup();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->experiments, 1);
  EXPECT_EQ(summary->generations, 2);
  EXPECT_EQ(summary->bytes, static_cast<int64_t>(fs::file_size(tar())));
  ASSERT_THAT(summary->left_out, SizeIs(1));
  EXPECT_EQ(summary->left_out[0].experiment, "bob");
  EXPECT_EQ(summary->left_out[0].generation, 0) << "all of it";
  EXPECT_THAT(StatusOnly{summary->left_out[0].why},
              FailsSaying(StatusCode::kDataLoss, Reason::kStorage, "total_fea.npy"));
  OpenElsewhere();
  const auto restored = Restore(tar(), false);
  ASSERT_TRUE(restored.ok()) << restored.status();
  ASSERT_THAT(*restored, SizeIs(1));
  ExpectAnna();
}

TEST_F(BackupTest, ADamagedCurrentGenerationLeavesTheOneBefore) {
  Damage("anna", 2, "index.faiss");
  const auto summary = WriteBackup();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->experiments, 2);
  EXPECT_EQ(summary->generations, 2);
  ASSERT_THAT(summary->left_out, SizeIs(1));
  EXPECT_EQ(summary->left_out[0].experiment, "anna");
  EXPECT_EQ(summary->left_out[0].generation, 2);
  OpenElsewhere();
  ASSERT_TRUE(Restore(tar(), false).ok());
  Open();
  const auto anna = Load("anna");
  ASSERT_TRUE(anna.ok()) << anna.status();
  EXPECT_EQ(anna->index, "anna 1");
  EXPECT_EQ(anna->experiment.frames.values, Joined(one_.values, added_.values));
  EXPECT_TRUE(anna->experiment.experiment.pinned);
  EXPECT_EQ(Load("bob")->index, "bob");
}

TEST_F(BackupTest, ADamagedFormerGenerationLeavesTheCurrentOne) {
  Damage("anna", 1, "manifest.json");
  const auto summary = WriteBackup();
  ASSERT_TRUE(summary.ok()) << summary.status();
  ASSERT_THAT(summary->left_out, SizeIs(1));
  EXPECT_EQ(summary->left_out[0].generation, 1);
  // What was left out is in no way of a server that is started on it.
  store_.reset();
  fs::remove_all(data_dir());
  fs::create_directory(data_dir());
  Run("tar -xf " + tar() + " -C " + data_dir());
  Open();
  EXPECT_THAT(Snapshots(), SizeIs(2));
  EXPECT_EQ(Load("anna")->index, "anna 2");
  EXPECT_EQ(store_->Generations("anna")->size(), 1u);
}

// All of it is in the catalogue, which a backup would otherwise take as it is.
TEST_F(BackupTest, DamagedRowsOfTheCatalogueAreLeftOutToo) {
  struct Case {
    const char* sql;
    const char* experiment;
    int64_t generation;
  };
  for (const Case& damage :
       {Case{"UPDATE addition_chunks SET data = zeroblob(length(data)) WHERE id = 1", "anna", 1},
        Case{"UPDATE generations SET rows = 5 WHERE number = 1 AND experiment = 'anna'", "anna", 1},
        Case{"UPDATE requests SET rows = 9", "anna", 0},
        Case{"UPDATE experiments SET created = 1 WHERE name = 'bob'", "bob", 0},
        Case{"DELETE FROM generations WHERE experiment = 'bob'", "bob", 0}}) {
    SCOPED_TRACE(damage.sql);
    store_.reset();
    fs::copy(data_dir(), folder_ / "sound", fs::copy_options::recursive);
    Open();
    Execute(damage.sql);
    const auto summary = WriteBackup();
    ASSERT_TRUE(summary.ok()) << summary.status();
    ASSERT_THAT(summary->left_out, SizeIs(1));
    EXPECT_EQ(summary->left_out[0].experiment, damage.experiment);
    EXPECT_EQ(summary->left_out[0].generation, damage.generation);
    EXPECT_TRUE(absl::IsDataLoss(summary->left_out[0].why)) << summary->left_out[0].why;
    OpenElsewhere();
    const auto restored = Restore(tar(), false);
    ASSERT_TRUE(restored.ok()) << restored.status();
    EXPECT_THAT(*restored, SizeIs(static_cast<size_t>(summary->experiments)));
    for (const ExperimentRecord& record : *restored) EXPECT_TRUE(Load(record.name).ok()) << record.name;
    store_.reset();
    fs::remove_all(data_dir());
    fs::remove_all(folder_ / "former");
    fs::rename(folder_ / "sound", data_dir());
  }
}

// A disk that cannot read on in the middle of a file looks the same.
TEST_F(BackupTest, AFileThatEndsWhileItIsReadIsLeftOutAndTheTarGoesOn) {
  ASSERT_TRUE(Train("bob", MakeFrames(100'000, 8, 5).view(), "bob").ok());
  std::string bytes;
  const auto summary = store_->WriteBackup([&](absl::Span<const char> piece) {
    if (bytes.empty()) {
      fs::resize_file(PathOf("bob", 2, "total_fea.npy"), 3'000'000);
    }
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  ASSERT_TRUE(summary.ok()) << summary.status();
  ASSERT_THAT(summary->left_out, SizeIs(1));
  EXPECT_EQ(summary->left_out[0].experiment, "bob");
  EXPECT_EQ(summary->left_out[0].generation, 2);
  std::ofstream(tar(), std::ios::binary) << bytes;
  OpenElsewhere();
  ASSERT_TRUE(Restore(tar(), false).ok());
  ExpectAnna();
  EXPECT_EQ(Load("bob")->index, "bob");
  EXPECT_EQ(Load("bob")->experiment.frames.values, one_.values);
}

TEST_F(BackupTest, RestoreLeavesAloneWhatItDoesNotHold) {
  ASSERT_TRUE(WriteBackup().ok());
  OpenElsewhere();
  ASSERT_TRUE(Train("carl", one_.view(), "carl").ok());
  const auto restored = Restore(tar(), false);
  ASSERT_TRUE(restored.ok()) << restored.status();
  ASSERT_THAT(*restored, SizeIs(2));
  EXPECT_EQ(restored->front().name, "anna");
  EXPECT_EQ(restored->front().generation.number, 2);
  EXPECT_EQ(restored->front().total_rows, 57);
  Open();
  EXPECT_THAT(Snapshots(), SizeIs(4));
  ExpectAnna();
  EXPECT_EQ(Load("carl")->index, "carl");
  EXPECT_EQ(store_->Rollback("anna", std::nullopt)->generation.number, 1);
}

TEST_F(BackupTest, WhatExistsIsReplacedOnlyWhereAskedFor) {
  ASSERT_TRUE(WriteBackup().ok());
  ASSERT_TRUE(Train("anna", one_.view(), "anna 3").ok());
  ASSERT_TRUE(store_->Delete("bob").ok());
  EXPECT_THAT(Restore(tar(), false), FailsSaying(StatusCode::kAlreadyExists, Reason::kBadParameter, "\"anna\""));
  EXPECT_EQ(Load("anna")->index, "anna 3");
  EXPECT_THAT(Load("bob"), FailsWith(StatusCode::kNotFound, Reason::kExperimentNotFound));
  const auto restored = Restore(tar(), true);
  ASSERT_TRUE(restored.ok()) << restored.status();
  ExpectAnna();
  EXPECT_EQ(Load("bob")->index, "bob");
  EXPECT_THAT(Snapshots(), SizeIs(3));
  EXPECT_THAT(Load("anna", 3), FailsWith(StatusCode::kInvalidArgument, Reason::kBadParameter));
}

TEST_F(BackupTest, ADamagedBackupRestoresNoExperimentInPart) {
  ASSERT_TRUE(WriteBackup().ok());
  ASSERT_TRUE(store_->Delete("bob").ok());
  std::ifstream file(tar(), std::ios::binary);
  const std::string sound{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  int failures = 0;
  for (size_t position = 100; position < sound.size(); position += 4801) {
    SCOPED_TRACE(position);
    std::string damaged = sound;
    damaged[position] = static_cast<char>(damaged[position] ^ 0x10);
    std::ofstream(tar(), std::ios::binary) << damaged;
    const auto restored = Restore(tar(), true);
    failures += restored.ok() ? 0 : 1;
    if (!restored.ok()) {
      const std::string reason = ReasonOf(restored.status());
      EXPECT_TRUE(reason == "STORAGE" || reason == "BAD_PARAMETER") << restored.status();
    }
    ExpectAnna();
    const auto bob = Load("bob");
    if (bob.ok()) {
      EXPECT_EQ(bob->experiment.frames.values, one_.values);
      EXPECT_TRUE(store_->Delete("bob").ok());
    } else {
      EXPECT_TRUE(absl::IsNotFound(bob.status())) << bob.status();
    }
    EXPECT_THAT(Snapshots(), SizeIs(2));
  }
  EXPECT_GT(failures, 1);
}

TEST_F(BackupTest, ATruncatedBackupIsRefused) {
  ASSERT_TRUE(WriteBackup().ok());
  const auto size = fs::file_size(tar());
  OpenElsewhere();
  for (const auto left : {size_t{0}, size_t{300}, size_t{512}, size_t{size / 3}, size_t{size / 2}, size - 3000}) {
    SCOPED_TRACE(left);
    fs::resize_file(tar(), left);
    fs::copy_file(tar(), folder_ / "cut.tar", fs::copy_options::overwrite_existing);
    EXPECT_FALSE(Restore((folder_ / "cut.tar").string(), false).ok());
    EXPECT_THAT(*store_->List(), IsEmpty());
    EXPECT_THAT(Snapshots(), IsEmpty());
  }
}

TEST_F(BackupTest, EntriesThatNoBackupHasAreRefused) {
  const auto refused = FailsSaying(StatusCode::kInvalidArgument, Reason::kBadParameter, "no whole backup");
  const std::string id = RandomId();
  const std::vector<std::string> paths = {"../evil",
                                          "/tmp/kith-evil",
                                          "evil",
                                          "lock",
                                          "snapshots/../evil",
                                          "snapshots/" + id + "/evil",
                                          "snapshots/" + id + "/../evil",
                                          "snapshots/short/index.faiss"};
  for (const std::string& path : paths) {
    SCOPED_TRACE(path);
    PackFile(path);
    EXPECT_THAT(Restore(tar(), true), refused);
  }
  PackFile("catalogue.sqlite", 2);
  EXPECT_THAT(Restore(tar(), true), refused);
  EXPECT_FALSE(fs::exists("/tmp/kith-evil"));

  const std::string pack = absl::StrCat("cd ", folder_.string(), " && mkdir -p links && cd links && rm -rf * && ");
  for (const char* link : {"ln -s /etc/passwd catalogue.sqlite", "ln -s /etc snapshots", "mkfifo catalogue.sqlite"}) {
    SCOPED_TRACE(link);
    Run(pack + link + " && tar -cf ../backup.tar *");
    EXPECT_THAT(Restore(tar(), true), refused);
  }
  std::ofstream(tar()) << "this is no tar";
  EXPECT_THAT(Restore(tar(), true), refused);
  ExpectAnna();
}

TEST_F(BackupTest, ATarOfADataFolderMadeByTarIsABackupToo) {
  ASSERT_TRUE(WriteBackup().ok());
  Run(absl::StrCat("cd ", folder_.string(),
                   " && mkdir unpacked && tar -xf backup.tar -C unpacked && tar -C unpacked -cf ", "backup.tar ."));
  OpenElsewhere();
  const auto restored = Restore(tar(), false);
  ASSERT_TRUE(restored.ok()) << restored.status();
  ExpectAnna();
}

}  // namespace
}  // namespace kith::storage
