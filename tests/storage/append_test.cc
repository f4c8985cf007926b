#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/storage/append_queue.h"
#include "server/storage/sqlite_catalogue.h"
#include "tests/storage/storage_fixture.h"
#include "tests/support/wait_until.h"

namespace kith::storage {
namespace {

using absl::StatusCode;
using ::testing::SizeIs;

uint32_t BigEndian(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// Transactions in SQLite's write-ahead log since it began anew: a frame that ends one tells the size of the database
// after it (https://www.sqlite.org/fileformat2.html, 4.1); frames with another salt are of an older log.
int TransactionsIn(const std::string& wal) {
  std::ifstream file(wal, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (bytes.size() < 32) return 0;
  int count = 0;
  for (size_t frame = 32; frame + 24 <= bytes.size(); frame += 24 + BigEndian(bytes, 8)) {
    if (bytes.compare(frame + 8, 8, bytes, 16, 8) == 0 && BigEndian(bytes, frame + 4) != 0) ++count;
  }
  return count;
}

class AppendTest : public StorageTest {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(Train("anna", MakeFrames(10, 4, 1).view(), "index").ok());
    ASSERT_TRUE(Train("bob", MakeFrames(10, 4, 2).view(), "index").ok());
  }
  int Transactions() const { return TransactionsIn(catalogue_path() + "-wal"); }

  const retrieval::Frames two_ = MakeFrames(2, 4, 3);
  const retrieval::Frames three_ = MakeFrames(3, 4, 4);
};

TEST_F(AppendTest, SeveralAdditionsAreOneTransaction) {
  const int before = Transactions();
  ASSERT_GT(before, 0);
  const auto answers = store_->Append({{"anna", 1, two_.view(), std::nullopt},
                                       {"bob", 1, two_.view(), std::nullopt},
                                       {"anna", 1, three_.view(), std::nullopt}});
  EXPECT_EQ(Transactions() - before, 1);
  ASSERT_THAT(answers, SizeIs(3));
  EXPECT_EQ(answers[0]->first_id, 10);
  EXPECT_EQ(answers[1]->first_id, 10);
  EXPECT_EQ(answers[2]->first_id, 12);
  EXPECT_EQ(answers[2]->total_rows, 15);
  Open();
  EXPECT_EQ(Load("anna")->experiment.frames.values,
            Joined(Joined(MakeFrames(10, 4, 1).values, two_.values), three_.values));
  EXPECT_EQ(Load("bob")->experiment.frames.rows(), 12);
}

TEST_F(AppendTest, AFaultyOneLeavesTheOthersWhole) {
  ASSERT_TRUE(Append("anna", 1, two_.view(), Request{"used", "other"}).ok());
  const auto answers = store_->Append({{"anna", 1, two_.view(), std::nullopt},
                                       {"carl", 1, two_.view(), std::nullopt},
                                       {"anna", 2, two_.view(), std::nullopt},
                                       {"anna", 1, MakeFrames(2, 5, 1).view(), std::nullopt},
                                       {"anna", 1, {}, std::nullopt},
                                       {"anna", 1, two_.view(), Request{"used", "digest"}},
                                       {"anna", 1, three_.view(), std::nullopt}});
  ASSERT_THAT(answers, SizeIs(7));
  EXPECT_EQ(answers[0]->first_id, 12);
  EXPECT_THAT(answers[1], FailsWith(StatusCode::kNotFound, Reason::kExperimentNotFound));
  EXPECT_THAT(answers[2], FailsWith(StatusCode::kAborted, Reason::kInternal));
  EXPECT_THAT(answers[3], FailsWith(StatusCode::kInvalidArgument, Reason::kDimensionMismatch));
  EXPECT_THAT(answers[4], FailsWith(StatusCode::kInvalidArgument, Reason::kEmptyBatch));
  EXPECT_THAT(answers[5], FailsWith(StatusCode::kAlreadyExists, Reason::kRequestIdReused));
  EXPECT_EQ(answers[6]->first_id, 14);
  Open();
  EXPECT_EQ(Load("anna")->experiment.frames.rows(), 17);
}

TEST_F(AppendTest, OneThatFailsHalfWayLeavesNothingOfItself) {
  // The row of its request cannot be written, after its values were.
  Execute(
      "CREATE TRIGGER fails BEFORE INSERT ON requests WHEN NEW.request_id = 'fails'"
      " BEGIN SELECT RAISE(ABORT, 'as the test wants'); END");
  const auto answers = store_->Append({{"anna", 1, two_.view(), Request{"a", "d"}},
                                       {"anna", 1, two_.view(), Request{"fails", "d"}},
                                       {"anna", 1, three_.view(), Request{"b", "d"}}});
  EXPECT_EQ(answers[0]->first_id, 10);
  EXPECT_THAT(answers[1], FailsWith(StatusCode::kInternal, Reason::kInternal));
  EXPECT_EQ(answers[2]->first_id, 12);
  EXPECT_EQ(Load("anna")->experiment.frames.values,
            Joined(Joined(MakeFrames(10, 4, 1).values, two_.values), three_.values));
}

TEST_F(AppendTest, ARepeatInTheSameGroupIsAnsweredAsTheFirst) {
  const auto answers =
      store_->Append({{"anna", 1, two_.view(), Request{"r", "d"}}, {"anna", 1, two_.view(), Request{"r", "d"}}});
  EXPECT_FALSE(answers[0]->repeated);
  EXPECT_TRUE(answers[1]->repeated);
  EXPECT_EQ(answers[1]->first_id, answers[0]->first_id);
  EXPECT_EQ(store_->Get("anna")->total_rows, 12);
}

TEST_F(AppendTest, CallersThatWaitShareATransaction) {
  constexpr int kCallers = 12;
  store_.reset();
  auto catalogue = SqliteCatalogue::Open(catalogue_path(), false);
  ASSERT_TRUE(catalogue.ok()) << catalogue.status();
  absl::Notification let_go;
  std::atomic<int> commits{0};
  AppendQueue queue([&](absl::Span<const PreparedAddition* const> group) {
    if (++commits == 1) let_go.WaitForNotification();
    return (*catalogue)->Append(group, now_);
  });
  const int before = Transactions();
  std::vector<std::thread> callers;
  std::vector<AddRecord> answers(kCallers);
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      const auto frames = MakeFrames(i + 1, 4, i);
      const Addition addition{i % 3 == 0 ? "bob" : "anna", 1, frames.view(), std::nullopt};
      const auto given = queue.Append({PreparedAddition{&addition, CutIntoChunks(frames.view())}});
      ASSERT_THAT(given, SizeIs(1));
      ASSERT_TRUE(given.front().ok()) << given.front().status();
      answers[i] = *given.front();
    });
  }
  // The first is in its commit; all others wait for it.
  kith::testing::WaitUntil([&] { return commits == 1 && queue.waiting() == kCallers - 1; });
  let_go.Notify();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(commits, 2);
  EXPECT_EQ(Transactions() - before, 2);

  catalogue->reset();
  Open();
  for (int i = 0; i < kCallers; ++i) {
    const auto frames = MakeFrames(i + 1, 4, i);
    const auto loaded = Load(i % 3 == 0 ? "bob" : "anna");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    const auto stored = loaded->experiment.frames.view().Slice(answers[i].first_id, i + 1).values();
    EXPECT_TRUE(std::equal(stored.begin(), stored.end(), frames.values.begin(), frames.values.end()));
  }
  EXPECT_EQ(store_->Get("anna")->total_rows + store_->Get("bob")->total_rows, 20 + kCallers * (kCallers + 1) / 2);
}

TEST_F(AppendTest, AnExceptionInACommitIsEveryonesErrorAndTheNextOneGoesOn) {
  int commits = 0;
  AppendQueue queue([&](absl::Span<const PreparedAddition* const> group) {
    if (++commits == 1) throw std::bad_alloc();
    return AppendQueue::Answers(group.size(), AddRecord());
  });
  const auto frames = MakeFrames(2, 4, 1);
  const Addition addition{"anna", 1, frames.view(), std::nullopt};
  const PreparedAddition prepared{&addition, CutIntoChunks(frames.view())};
  const auto failed = queue.Append({prepared, prepared});
  ASSERT_THAT(failed, SizeIs(2));
  for (const auto& answer : failed) EXPECT_EQ(ReasonOf(answer.status()), "MEMORY_BUDGET");
  const auto stored = queue.Append({prepared});
  ASSERT_THAT(stored, SizeIs(1));
  EXPECT_TRUE(stored.front().ok());
}

}  // namespace
}  // namespace kith::storage
