// What a block's answer depends on: its frames, and nothing that goes on besides.
#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

constexpr int kClients = 32;
constexpr int64_t kBlockRows = 16;

class ConcurrencyTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", frames_);
    here_ = BuildHere({}, frames_);
    expected_ = SearchHere(*here_, queries_);
  }

  retrieval::Frames BlockOf(int64_t i) const { return Rows(queries_, i * kBlockRows, kBlockRows); }
  int64_t blocks() const { return queries_.rows() / kBlockRows; }

  void ExpectBlock(int64_t i, const SearchResult& found) const {
    const retrieval::NeighborsView part = retrieval::NeighborsView(expected_).Slice(i * kBlockRows, kBlockRows);
    ASSERT_EQ(found.ids, std::vector<int64_t>(part.ids, part.ids + part.size()));
    ExpectNear(found.distances, std::vector<float>(part.distances, part.distances + part.size()));
  }

  // Each client works on its own blocks, over a connection or a stream of its own.
  void RunClients() {
    std::vector<std::thread> threads;
    threads.reserve(kClients);
    for (int client = 0; client < kClients; ++client) {
      threads.emplace_back([this, client] { client % 2 == 0 ? ByCalls(client) : ByStream(client); });
    }
    for (std::thread& thread : threads) thread.join();
  }

  void ByCalls(int first) {
    for (int64_t i = first; i < blocks(); i += kClients) ExpectBlock(i, Search("voice", BlockOf(i)));
  }

  void ByStream(int first) {
    Client client({service().address(), absl::Seconds(60)});
    auto stream = client.StreamSearch("voice");
    ASSERT_TRUE(stream.ok()) << stream.status();
    for (int64_t i = first; i < blocks(); i += kClients) ASSERT_TRUE((*stream)->Write(i, View(BlockOf(i))).ok());
    (*stream)->Close();
    for (int64_t i = first; i < blocks(); i += kClients) {
      const auto answer = (*stream)->Read();
      ASSERT_TRUE(answer.ok() && answer->has_value()) << answer.status();
      ASSERT_EQ((*answer)->sequence, i);
      ASSERT_TRUE((*answer)->status.ok()) << (*answer)->status;
      ExpectBlock(i, (*answer)->result);
    }
  }

  const retrieval::Frames frames_ = SpeechLike(4000, 16);
  const retrieval::Frames queries_ = QueriesNear(frames_, 8000, 2);
  std::unique_ptr<retrieval::Index> here_;
  retrieval::Neighbors expected_;
};

TEST_F(ConcurrencyTest, ABlockGetsTheSameAlone) {
  for (int64_t i = 0; i < blocks(); i += 50) ExpectBlock(i, Search("voice", BlockOf(i)));
  const SearchResult one = Search("voice", Rows(queries_, 77, 1));
  EXPECT_EQ(one.ids, std::vector<int64_t>(expected_.ids.begin() + 77 * 8, expected_.ids.begin() + 78 * 8));
}

TEST_F(ConcurrencyTest, ABlockGetsTheSameInsideALargeRequest) { ExpectSame(Search("voice", queries_), expected_); }

TEST_F(ConcurrencyTest, ABlockGetsTheSameUnder32Clients) { RunClients(); }

TEST_F(ConcurrencyTest, ABlockGetsTheSameWhileOtherVoicesTrainAndGrow) {
  Train("grows", SpeechLike(500, 16, 5));
  std::atomic<bool> stop{false};
  std::thread trainer([&] {
    while (!stop) Train("trains", SpeechLike(3000, 16, 6));
  });
  std::thread adder([&] {
    int64_t rows = 500;
    while (!stop) {
      EXPECT_EQ(Add("grows", SpeechLike(20, 16, 7)).first_id, rows);
      rows += 20;
    }
  });
  RunClients();
  stop = true;
  trainer.join();
  adder.join();
}

// Rows that come in far away change no neighbour, but the index while it is searched.
TEST_F(ConcurrencyTest, ABlockGetsTheSameWhileItsOwnVoiceGrows) {
  std::atomic<bool> stop{false};
  std::thread adder([&] {
    retrieval::Frames far = SpeechLike(100, 16, 7);
    for (float& value : far.values) value += 1000;
    while (!stop) Add("voice", far);
  });
  RunClients();
  stop = true;
  adder.join();
}

TEST_F(ConcurrencyTest, EveryAnswerIsOfOneGenerationWhileItsOwnVoiceIsTrainedAgain) {
  // The second set is the first in reverse: an answer's ids tell which one it came from.
  retrieval::Frames reversed{16, {}};
  for (int64_t i = frames_.rows() - 1; i >= 0; --i) {
    reversed.values.insert(reversed.values.end(), frames_.view().row(i), frames_.view().row(i) + 16);
  }
  std::atomic<bool> stop{false};
  std::thread trainer([&] {
    for (int i = 0; i < 6; ++i) Train("voice", i % 2 == 0 ? reversed : frames_);
    stop = true;
  });
  std::vector<std::thread> clients;
  clients.reserve(4);
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      SearchParams nearest;
      nearest.k = 1;
      int64_t last = 0;
      for (int64_t i = c; !stop; i = (i + 1) % 200) {
        const SearchResult found = Search("voice", Rows(frames_, i * 16, 16), nearest);
        ASSERT_GE(found.generation, last);
        last = found.generation;
        for (int64_t row = 0; row < 16; ++row) {
          const int64_t id = i * 16 + row;
          ASSERT_EQ(found.ids[row], found.generation % 2 == 1 ? id : frames_.rows() - 1 - id);
        }
      }
    });
  }
  trainer.join();
  for (std::thread& client : clients) client.join();
}

TEST_F(ConcurrencyTest, AdditionsAtOnceEachGetTheirOwnIds) {
  constexpr int kAdders = 8;
  constexpr int64_t kRows = 25;
  Train("grows", SpeechLike(500, 16, 5));
  std::vector<AddResult> results(kAdders);
  std::vector<std::thread> threads;
  threads.reserve(kAdders);
  for (int i = 0; i < kAdders; ++i) {
    threads.emplace_back([&, i] { results[i] = Add("grows", SpeechLike(kRows, 16, 100 + i)); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Get("grows").rows, 500 + kAdders * kRows);
  std::vector<int64_t> first_ids;
  SearchParams nearest;
  nearest.k = 1;
  for (int i = 0; i < kAdders; ++i) {
    first_ids.push_back(results[i].first_id);
    EXPECT_EQ(results[i].total_rows, results[i].first_id + kRows);
    // The rows have the ids that their own acknowledgement says.
    EXPECT_EQ(Search("grows", Rows(SpeechLike(kRows, 16, 100 + i), 7, 1), nearest).ids.front(),
              results[i].first_id + 7);
  }
  std::sort(first_ids.begin(), first_ids.end());
  for (int i = 0; i < kAdders; ++i) EXPECT_EQ(first_ids[i], 500 + i * kRows);
}

}  // namespace
}  // namespace kith::testing
