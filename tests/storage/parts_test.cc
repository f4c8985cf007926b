#include "tests/storage/memory_parts.h"
#include "tests/storage/storage_fixture.h"

namespace kith::storage {
namespace {

using absl::StatusCode;
using ::testing::SizeIs;

// A store over a catalogue and snapshots in memory: it needs neither SQLite nor a folder.
class PartsTest : public StorageTest {
 protected:
  void SetUp() override {
    data_->snapshots["left over from a crash"];
    StoreParts parts;
    parts.catalogue = std::make_unique<MemoryCatalogue>(data_);
    parts.snapshots = std::make_unique<MemorySnapshots>(data_);
    auto store = Store::Make(std::move(parts), {});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  const std::shared_ptr<MemoryData> data_ = std::make_shared<MemoryData>();
};

TEST_F(PartsTest, AStoreWorksOverOtherPartsThanSqliteAndAFolder) {
  EXPECT_THAT(data_->snapshots, SizeIs(0));
  const auto trained = MakeFrames(10, 4, 1);
  const auto added = MakeFrames(3, 4, 2);
  ASSERT_TRUE(Train("anna", trained.view(), "one").ok());
  ASSERT_TRUE(Train("anna", trained.view(), "two").ok());
  EXPECT_THAT(data_->snapshots, SizeIs(1));
  EXPECT_EQ(Append("anna", 2, added.view())->first_id, 10);
  const auto loaded = Load("anna");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->index, "two");
  EXPECT_EQ(loaded->experiment.frames.values, Joined(trained.values, added.values));
  ASSERT_TRUE(store_->Delete("anna").ok());
  EXPECT_THAT(data_->snapshots, SizeIs(0));
  EXPECT_THAT(Load("anna"), FailsWith(StatusCode::kNotFound, Reason::kExperimentNotFound));
  EXPECT_FALSE(fs::exists(data_dir()));
}

}  // namespace
}  // namespace kith::storage
