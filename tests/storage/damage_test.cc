#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/storage/storage_fixture.h"

namespace kith::storage {
namespace {

using absl::StatusCode;

void FlipByte(const std::string& path, int64_t position) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(position);
  const char byte = static_cast<char>(file.get() ^ 0x10);
  file.seekp(position);
  file.put(byte);
  ASSERT_TRUE(file.good()) << path;
}

// anna, with one addition, is what the tests damage; bob has to stay as he is.
class DamageTest : public StorageTest {
 protected:
  void SetUp() override {
    keep_generations_ = 1;
    Open();
    ASSERT_TRUE(Train("bob", bob_.view(), "bob's index").ok());
    const std::vector<std::string> before = Snapshots();
    ASSERT_TRUE(Train("anna", trained_.view(), index_, Request{"t", "digest"}).ok());
    for (const std::string& name : Snapshots()) {
      if (name != before.front()) annas_ = data_dir() + "/snapshots/" + name;
    }
    ASSERT_TRUE(Append("anna", 1, added_.view(), Request{"a", "digest"}).ok());
  }

  void ExpectBobIsWell() {
    const auto bob = Load("bob");
    ASSERT_TRUE(bob.ok()) << bob.status();
    EXPECT_EQ(bob->index, "bob's index");
    EXPECT_EQ(bob->experiment.frames.values, bob_.values);
  }

  void ExpectTrainingRepairsAnna() {
    const auto committed = Train("anna", added_.view(), "new index");
    ASSERT_TRUE(committed.ok()) << committed.status();
    const auto loaded = Load("anna");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->index, "new index");
    EXPECT_EQ(loaded->experiment.frames.values, added_.values);
    EXPECT_EQ(Snapshots().size(), 2u);
  }

  const std::string index_ = std::string(200'000, 'i');
  const retrieval::Frames trained_ = MakeFrames(300, 16, 1);
  const retrieval::Frames added_ = MakeFrames(20, 16, 2);
  const retrieval::Frames bob_ = MakeFrames(10, 4, 3);
  std::string annas_;  // snapshot
};

class FileDamageTest : public DamageTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(FileDamageTest, AFlippedByteIsNoticedAnywhere) {
  const std::string path = annas_ + "/" + GetParam();
  const auto size = static_cast<int64_t>(fs::file_size(path));
  for (const int64_t position : {int64_t{0}, size / 7, size / 2, size - 1}) {
    FlipByte(path, position);
    EXPECT_THAT(Load("anna"), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, path)) << position;
    FlipByte(path, position);
  }
  EXPECT_TRUE(Load("anna").ok());
  FlipByte(path, size / 2);
  ExpectBobIsWell();
  ExpectTrainingRepairsAnna();
}

TEST_P(FileDamageTest, AnotherLengthIsNoticed) {
  const std::string path = annas_ + "/" + GetParam();
  const auto size = fs::file_size(path);
  for (const auto damaged : {size - 1, size + 1, size_t{0}}) {
    fs::resize_file(path, damaged);
    EXPECT_THAT(Load("anna"), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, path)) << damaged;
  }
  ExpectBobIsWell();
  ExpectTrainingRepairsAnna();
}

TEST_P(FileDamageTest, AMissingFileIsNoticed) {
  const std::string path = annas_ + "/" + GetParam();
  ASSERT_TRUE(fs::remove(path));
  EXPECT_THAT(Load("anna"), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, path));
  Open();
  EXPECT_THAT(Load("anna"), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, "train the experiment again"));
  ExpectBobIsWell();
  ExpectTrainingRepairsAnna();
}

TEST_P(FileDamageTest, AFolderInItsPlaceIsNoticed) {
  const std::string path = annas_ + "/" + GetParam();
  ASSERT_TRUE(fs::remove(path));
  ASSERT_TRUE(fs::create_directory(path));
  EXPECT_THAT(Load("anna"), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, path));
  ExpectBobIsWell();
  ExpectTrainingRepairsAnna();
}

INSTANTIATE_TEST_SUITE_P(Files, FileDamageTest, ::testing::Values("index.faiss", "total_fea.npy", "manifest.json"),
                         [](const auto& file) { return std::string(file.param).substr(0, 5); });

TEST_F(DamageTest, AMissingFolderIsNoticed) {
  fs::remove_all(annas_);
  EXPECT_THAT(Load("anna"), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, annas_));
  ExpectBobIsWell();
  ExpectTrainingRepairsAnna();
}

TEST_F(DamageTest, AFileOfAnotherSnapshotIsNoticed) {
  ASSERT_TRUE(Train("carl", trained_.view(), std::string(200'000, 'j')).ok());
  for (const std::string& name : Snapshots()) {
    const std::string folder = data_dir() + "/snapshots/" + name;
    if (fs::file_size(folder + "/index.faiss") == index_.size() && folder != annas_) {
      fs::copy_file(folder + "/index.faiss", annas_ + "/index.faiss", fs::copy_options::overwrite_existing);
    }
  }
  EXPECT_THAT(Load("anna"), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, "index.faiss"));
}

TEST_F(DamageTest, ADamagedAdditionIsNoticed) {
  for (const char* sql : {
           "UPDATE addition_chunks SET data = zeroblob(length(data))",
           "UPDATE addition_chunks SET data = zeroblob(length(data) - 4)",
           "UPDATE addition_chunks SET position = 1",
           "UPDATE additions SET first_id = first_id + 1",
           "UPDATE additions SET rows = rows - 1",
           "DELETE FROM addition_chunks",
           "DELETE FROM additions",
       }) {
    Execute(sql);
    EXPECT_THAT(Load("anna"), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, "what was added")) << sql;
    ExpectBobIsWell();
    ASSERT_TRUE(store_->Delete("anna").ok());
    ASSERT_TRUE(Train("anna", trained_.view(), index_).ok());
    ASSERT_TRUE(Append("anna", 1, added_.view()).ok());
  }
}

TEST_F(DamageTest, ADamagedRowIsNoticedAndCostsItsExperimentOnly) {
  for (const char* change :
       {"generations SET number = number + 1 WHERE experiment", "generations SET dimension = 8 WHERE experiment",
        "generations SET rows = 299 WHERE experiment", "generations SET total_rows = 319 WHERE experiment",
        "generations SET snapshot = '../../bob' WHERE experiment", "generations SET recipe = '{}' WHERE experiment",
        "generations SET report = 'x' WHERE experiment", "generations SET updated = 5 WHERE experiment",
        "generations SET checksum = '' WHERE experiment",
        "generations SET number = 9223372036854775807 WHERE experiment", "experiments SET created = 5 WHERE name",
        "experiments SET current = 9223372036854775807 WHERE name"}) {
    SCOPED_TRACE(change);
    Execute(absl::StrCat("UPDATE ", change, " = 'anna'"));
    EXPECT_THAT(Load("anna"), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, "\"anna\""));
    EXPECT_THAT(Append("anna", 1, added_.view()), FailsWith(StatusCode::kDataLoss, Reason::kStorage));
    const auto list = store_->List();
    ASSERT_TRUE(list.ok()) << list.status();
    ASSERT_EQ(list->size(), 2u);
    EXPECT_EQ(list->front().name, "anna");
    EXPECT_EQ(list->front().status.code(), StatusCode::kDataLoss);
    EXPECT_TRUE(list->back().status.ok());
    // A start does not take the snapshot that the damaged row spoke of for garbage.
    const size_t snapshots = Snapshots().size();
    Open();
    EXPECT_EQ(Snapshots().size(), snapshots);
    ExpectBobIsWell();
    const auto committed = Train("anna", trained_.view(), index_);
    ASSERT_TRUE(committed.ok()) << committed.status();
    ASSERT_TRUE(Append("anna", committed->experiment.generation.number, added_.view()).ok());
    EXPECT_TRUE(Load("anna").ok());
    // Brings the number back to 1, and the snapshot that a damaged name left behind goes at a start.
    ASSERT_TRUE(store_->Delete("anna").ok());
    ASSERT_TRUE(Train("anna", trained_.view(), index_).ok());
    ASSERT_TRUE(Append("anna", 1, added_.view()).ok());
    Open();
    EXPECT_EQ(Snapshots().size(), 2u);
  }
}

TEST_F(DamageTest, ADamagedRequestIsNotAnswered) {
  Execute("UPDATE requests SET first_id = first_id + 1 WHERE request_id = 'a'");
  EXPECT_THAT(store_->FindRequest("anna", "a"), FailsWith(StatusCode::kDataLoss, Reason::kStorage));
  EXPECT_THAT(Append("anna", 1, added_.view(), Request{"a", "digest"}),
              FailsWith(StatusCode::kDataLoss, Reason::kStorage));
  EXPECT_TRUE(store_->FindRequest("anna", "t").ok());
}

TEST_F(DamageTest, NoFlippedByteOfTheCatalogueGivesAWrongAnswer) {
  store_.reset();
  const std::string sound = folder_ / "sound";
  fs::copy_file(catalogue_path(), sound);
  const auto size = static_cast<int64_t>(fs::file_size(sound));
  for (int64_t position = 0; position < size; position += position < 128 ? 1 : 397) {
    SCOPED_TRACE(position);
    fs::copy_file(sound, catalogue_path(), fs::copy_options::overwrite_existing);
    FlipByte(catalogue_path(), position);
    auto store = Store::Open(data_dir());
    // The snapshots have to outlive any damage, or a backup of the catalogue would be worth nothing.
    EXPECT_EQ(Snapshots().size(), 2u);
    if (!store.ok()) {
      EXPECT_EQ(ReasonOf(store.status()), "STORAGE") << store.status();
      continue;
    }
    store_ = *std::move(store);
    for (const auto& [name, values] :
         {std::pair("anna", Joined(trained_.values, added_.values)), std::pair("bob", bob_.values)}) {
      const auto loaded = Load(name);
      if (loaded.ok()) {
        EXPECT_EQ(loaded->experiment.frames.values, values);
      } else if (absl::IsNotFound(loaded.status())) {
        // Its name cannot be read any more; the list tells that something is wrong.
        const auto list = store_->List();
        EXPECT_TRUE(!list.ok() ||
                    std::any_of(list->begin(), list->end(), [](const auto& r) { return !r.status.ok(); }));
      } else {
        EXPECT_EQ(ReasonOf(loaded.status()), "STORAGE") << loaded.status();
      }
    }
    store_.reset();
  }
}

}  // namespace
}  // namespace kith::storage
