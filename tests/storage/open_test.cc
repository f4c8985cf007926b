#include <sys/stat.h>
#include <sys/wait.h>

#include "absl/strings/str_cat.h"
#include "tests/storage/storage_fixture.h"

namespace kith::storage {
namespace {

using absl::StatusCode;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

using OpenTest = StorageTest;

TEST_F(OpenTest, MakesTheFolderAndItsParents) {
  const auto store = Store::Open((folder_ / "a/b/c").string());
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_THAT(*(*store)->List(), IsEmpty());
}

TEST_F(OpenTest, AFileInItsPlaceIsAnErrorThatNamesIt) {
  std::ofstream(data_dir()) << "a file";
  EXPECT_THAT(Store::Open(data_dir()), FailsSaying(StatusCode::kUnavailable, Reason::kStorage, data_dir()));
  EXPECT_THAT(Store::Open(data_dir() + "/below"),
              FailsSaying(StatusCode::kUnavailable, Reason::kStorage, data_dir() + "/below"));
  EXPECT_THAT(Store::Open(""), FailsWith(StatusCode::kUnavailable, Reason::kStorage));
}

TEST_F(OpenTest, AFolderThatCannotBeWrittenIsAnErrorThatNamesIt) {
  Open();
  store_.reset();
  // Root may write anywhere, so the test goes on as nobody.
  const uid_t user = ::geteuid();
  const auto expect_refusal = [&](const std::string& folder, mode_t mode) {
    ASSERT_EQ(::chmod(folder.c_str(), mode), 0);
    if (user == 0) {
      ASSERT_EQ(::seteuid(65534), 0);
    }
    const auto store = Store::Open(data_dir());
    if (user == 0) {
      ASSERT_EQ(::seteuid(0), 0);
    }
    EXPECT_THAT(store, FailsSaying(StatusCode::kUnavailable, Reason::kStorage, folder));
  };
  ASSERT_EQ(::chmod(data_dir().c_str(), 0777), 0);
  ASSERT_EQ(::chmod((data_dir() + "/lock").c_str(), 0666), 0);
  expect_refusal(data_dir() + "/snapshots", 0555);
  ASSERT_TRUE(fs::remove(data_dir() + "/lock"));
  expect_refusal(data_dir(), 0555);
  ASSERT_EQ(::chmod(data_dir().c_str(), 0755), 0);
}

TEST_F(OpenTest, OneStoreAtATimeHasTheFolder) {
  Open();
  EXPECT_THAT(Store::Open(data_dir()), FailsSaying(StatusCode::kUnavailable, Reason::kStorage,
                                                   absl::StrCat("process ", ::getpid(), " on host")));
  store_.reset();
  EXPECT_TRUE(Store::Open(data_dir()).ok());
}

TEST_F(OpenTest, AProcessThatDiedHoldsNothing) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto store = Store::Open(data_dir());
    ::_exit(store.ok() ? 0 : 1);  // without giving anything back
  }
  int state = 0;
  ASSERT_EQ(::waitpid(child, &state, 0), child);
  ASSERT_EQ(state, 0);
  EXPECT_TRUE(Store::Open(data_dir()).ok());
}

TEST_F(OpenTest, RemovesWhatWasNeverCommittedAndLeavesTheRest) {
  const auto frames = MakeFrames(5, 4, 1);
  Open();
  ASSERT_TRUE(Train("anna", frames.view(), "index").ok());
  store_.reset();
  const std::string known = fs::path(Snapshot()).filename().string();
  for (const std::string& name : {"tmp-" + RandomId(), RandomId(), std::string("lost+found")}) {
    const std::string folder = data_dir() + "/snapshots/" + name;
    ASSERT_TRUE(fs::create_directory(folder));
    std::ofstream(folder + "/index.faiss") << "half";
  }
  Open();
  EXPECT_THAT(Snapshots(), UnorderedElementsAre(known, "lost+found"));
  EXPECT_EQ(Load("anna")->index, "index");
}

TEST_F(OpenTest, AKilledProcessLeavesAllThatWasAcknowledged) {
  const auto trained = MakeFrames(50, 4, 1);
  const auto added = MakeFrames(5, 4, 2);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Open();
    const bool done = Train("anna", trained.view(), "index").ok() && Append("anna", 1, added.view()).ok();
    if (!done) ::_exit(1);
    // Dies in the middle of the next training.
    (void)store_->CommitGeneration("anna", SomeRecipe(), SomeReport(), added.view(), [](ByteSink sink) {
      (void)sink("half an index");
      ::kill(::getpid(), SIGKILL);
      return absl::OkStatus();
    });
    ::_exit(1);
  }
  int state = 0;
  ASSERT_EQ(::waitpid(child, &state, 0), child);
  ASSERT_TRUE(WIFSIGNALED(state) && WTERMSIG(state) == SIGKILL);
  EXPECT_EQ(Snapshots().size(), 2u);
  Open();
  EXPECT_EQ(Snapshots().size(), 1u);
  const auto loaded = Load("anna");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->index, "index");
  EXPECT_EQ(loaded->experiment.frames.values, Joined(trained.values, added.values));
}

TEST_F(OpenTest, ANewerSchemaIsRefusedAndLeftAsItIs) {
  Open();
  ASSERT_TRUE(Train("anna", MakeFrames(5, 4, 1).view(), "index").ok());
  store_.reset();
  Execute("PRAGMA user_version = 1000");
  EXPECT_THAT(Store::Open(data_dir()),
              FailsSaying(StatusCode::kFailedPrecondition, Reason::kStorage, "schema version 1000"));
  EXPECT_EQ(Snapshots().size(), 1u);
}

TEST_F(OpenTest, AnotherProgramsDatabaseIsRefused) {
  fs::create_directory(data_dir());
  Execute("CREATE TABLE songs (name TEXT)");
  EXPECT_THAT(Store::Open(data_dir()),
              FailsSaying(StatusCode::kFailedPrecondition, Reason::kStorage, catalogue_path()));
}

TEST_F(OpenTest, AFileThatIsNoDatabaseIsDamage) {
  fs::create_directory(data_dir());
  std::ofstream(catalogue_path()) << std::string(5000, 'x');
  EXPECT_THAT(Store::Open(data_dir()), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, catalogue_path()));
}

TEST_F(OpenTest, WithoutItsCatalogueAFolderOfSnapshotsIsKept) {
  Open();
  ASSERT_TRUE(Train("anna", MakeFrames(5, 4, 1).view(), "index").ok());
  store_.reset();
  fs::resize_file(catalogue_path(), 0);
  EXPECT_THAT(Store::Open(data_dir()), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, catalogue_path()));
  ASSERT_TRUE(fs::remove(catalogue_path()));
  EXPECT_THAT(Store::Open(data_dir()), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, catalogue_path()));
  EXPECT_EQ(Snapshots().size(), 1u);
}

}  // namespace
}  // namespace kith::storage
