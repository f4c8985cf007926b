// What the server tells of itself: GetServerInfo, and what it counts on the way of blocks and calls.
#include "server/base/clock.h"
#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class TelemetryTest : public IntegrationTest {
 protected:
  TelemetryTest() {
    options_.engine.threads = 1;
    options_.engine.queue_rows = 64;
  }
  ~TelemetryTest() override { gate_->Open(); }

  ServerInfo Info() {
    const auto info = client().GetServerInfo();
    EXPECT_TRUE(info.ok()) << info.status();
    return info.value_or(ServerInfo{});
  }

  Histogram Reading(const std::string& name) {
    for (const Histogram& histogram : Info().histograms) {
      if (histogram.name == name) return histogram;
    }
    ADD_FAILURE() << "there is no histogram " << name;
    return {};
  }

  // An answer may be with its client a moment before it is counted.
  void WaitUntilAnswered(uint64_t blocks) {
    WaitUntil([&] { return Reading("kith_block_seconds").count >= blocks; });
  }
  void WaitUntilCounted(const std::string& line) {
    WaitUntil([&] { return service().metrics().Text({}).find(line + "\n") != std::string::npos; });
  }

  // Keeps the only worker busy until the end of the test, or until the gate opens.
  void HoldTheWorker() {
    Train("holder", SpeechLike(5, 4));
    service().HoldWorker("holder", gate_);
  }

  const retrieval::Frames frames_ = SpeechLike(500, 24);
  const retrieval::Frames block_ = Rows(frames_, 0, 16);
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

TEST_F(TelemetryTest, TheServerSaysWhatItIsAndWhatItHolds) {
  const absl::Time before = absl::Now();
  EXPECT_EQ(Info().experiments, 0);
  Train("a", frames_);
  Train("b", frames_);
  ASSERT_TRUE(client().Unload("b").ok());
  const ServerInfo info = Info();
  EXPECT_THAT(info.version, HasSubstr("test"));
  EXPECT_THAT(info.faiss, ContainsRegex("^[0-9]+\\.[0-9]+"));
  EXPECT_THAT(info.instruction_set, ContainsRegex("^(AVX-512|AVX2|baseline)$"));
  EXPECT_THAT(info.blas, HasSubstr("OpenBLAS"));
  EXPECT_EQ(info.search_threads, 1);
  EXPECT_LE(info.started, before);
  EXPECT_GT(info.started, before - absl::Hours(1));
  EXPECT_EQ(info.memory_budget_bytes, options_.memory);
  EXPECT_GE(info.memory_reserved_bytes, static_cast<int64_t>(frames_.values.size() * sizeof(float)));
  EXPECT_EQ(info.experiments, 2);
  EXPECT_EQ(info.resident_experiments, 1);
  std::vector<std::string> names;
  for (const Histogram& histogram : info.histograms) names.push_back(histogram.name);
  EXPECT_THAT(names, ::testing::ElementsAre("kith_block_queue_seconds", "kith_batch_rows", "kith_block_compute_seconds",
                                            "kith_block_serialize_seconds", "kith_block_seconds"));
}

TEST_F(TelemetryTest, TheTimeOfBlocksOfCallsAndStreamsIsSplit) {
  Train("voice", frames_);
  const ServerInfo before = Info();
  Search("voice", block_);
  Expand("voice", block_);
  auto stream = client().StreamExpand("voice");
  ASSERT_TRUE(stream.ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE((*stream)->Write(i, View(block_)).ok());
    ASSERT_TRUE((*stream)->Read().ok());
  }
  WaitUntilAnswered(5);
  const ServerInfo after = Info();
  const auto grown = [&](size_t i) { return after.histograms[i].sum - before.histograms[i].sum; };
  for (size_t i = 0; i < after.histograms.size(); ++i) {
    EXPECT_EQ(after.histograms[i].count - before.histograms[i].count, 5) << after.histograms[i].name;
    EXPECT_GT(grown(i), 0) << after.histograms[i].name;
    EXPECT_EQ(after.histograms[i].counts.size(), after.histograms[i].bounds.size() + 1);
  }
  EXPECT_EQ(grown(1), 5 * 16) << "rows searched";
  EXPECT_LE(grown(0) + grown(2) + grown(3), grown(4)) << "the parts of a block's time are within the whole";
}

TEST_F(TelemetryTest, WhatWaitsForAWorkerIsInTheQueueAndThenInOneBatch) {
  Train("voice", frames_);
  HoldTheWorker();
  auto stream = client().StreamSearch("voice");
  ASSERT_TRUE(stream.ok());
  const Histogram before = Reading("kith_batch_rows");
  for (int i = 0; i < 2; ++i) ASSERT_TRUE((*stream)->Write(i, View(block_)).ok());
  WaitUntil([&] { return service().waiting_rows() == 32; });
  const TimePoint waiting = Clock::now();
  Get("voice");
  const double waited = SecondsSince(waiting);
  gate_->Open();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE((*stream)->Read().ok());
  WaitUntilAnswered(2);
  const Histogram after = Reading("kith_batch_rows");
  EXPECT_EQ(after.count - before.count, 1);
  EXPECT_EQ(after.sum - before.sum, 32);
  EXPECT_GE(Reading("kith_block_queue_seconds").sum, 2 * waited);
}

TEST_F(TelemetryTest, CallsBlocksAndRowsAreCountedByNameAndCode) {
  Train("voice", frames_);
  Add("voice", Rows(frames_, 0, 7));
  Search("voice", block_);
  EXPECT_FALSE(client().Search("nobody", View(block_)).ok());
  {
    auto stream = client().StreamExpand("voice");
    ASSERT_TRUE(stream.ok());
    ASSERT_TRUE((*stream)->Write(1, View(block_)).ok());
    ASSERT_TRUE((*stream)->Read().ok());
    ASSERT_TRUE((*stream)->Write(2, View(SpeechLike(3, 23))).ok());
    ASSERT_TRUE((*stream)->Read().ok());
    (*stream)->Close();
    const auto end = (*stream)->Read();
    ASSERT_TRUE(end.ok()) << end.status();
  }
  for (const char* line :
       {"kith_requests_total{code=\"OK\",rpc=\"Train\"} 1", "kith_rows_total{code=\"OK\",rpc=\"Train\"} 500",
        "kith_requests_total{code=\"OK\",rpc=\"Add\"} 1", "kith_rows_total{code=\"OK\",rpc=\"Add\"} 7",
        "kith_requests_total{code=\"OK\",rpc=\"Search\"} 1", "kith_rows_total{code=\"OK\",rpc=\"Search\"} 16",
        "kith_requests_total{code=\"NOT_FOUND\",rpc=\"Search\"} 1",
        "kith_stream_blocks_total{code=\"OK\",rpc=\"StreamExpand\"} 1",
        "kith_rows_total{code=\"OK\",rpc=\"StreamExpand\"} 16",
        "kith_stream_blocks_total{code=\"INVALID_ARGUMENT\",rpc=\"StreamExpand\"} 1",
        "kith_requests_total{code=\"OK\",rpc=\"StreamExpand\"} 1"}) {
    WaitUntilCounted(line);
  }
}

TEST_F(TelemetryTest, WhatIsDoneIsCountedForEachExperimentThroughItsGenerations) {
  Train("anna", frames_);
  Train("bob", frames_);
  EXPECT_TRUE(service().registry().ReadTraffic().empty()) << "nothing was asked for yet";
  Search("anna", block_);
  Train("anna", frames_);
  ASSERT_TRUE(client().Unload("anna").ok());
  Expand("anna", block_);
  EXPECT_FALSE(client().Search("anna", View(SpeechLike(3, 23))).ok());
  const auto counted = [&] { return service().registry().ReadTraffic(); };
  WaitUntil([&] { return !counted().empty() && counted()[0].blocks == 2; });
  ASSERT_EQ(counted().size(), 1);
  EXPECT_EQ(counted()[0].experiment, "anna");
  EXPECT_EQ(counted()[0].rows, 32);
  EXPECT_GT(counted()[0].nanoseconds, 0);
  EXPECT_EQ(counted()[0].late + counted()[0].refused, 0);
  ASSERT_TRUE(client().Delete("anna").ok());
  EXPECT_TRUE(counted().empty());
}

TEST_F(TelemetryTest, LateAndRefusedBlocksAreCounted) {
  Train("voice", frames_);
  HoldTheWorker();
  auto hurried = client().StreamSearch("voice", {}, absl::Milliseconds(1));
  ASSERT_TRUE(hurried.ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE((*hurried)->Write(i, View(block_)).ok());
    ASSERT_TRUE((*hurried)->Read().ok());
  }
  WaitUntilCounted("kith_late_blocks_total 3");
  service().Enqueue("voice", 60);
  EXPECT_THAT(client().Search("voice", View(block_)).status(),
              FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", ""));
  WaitUntilCounted("kith_refused_blocks_total{reason=\"OVERLOADED\"} 1");
  EXPECT_EQ(Reading("kith_block_seconds").count, 0) << "none was answered with a result";
  const auto traffic = service().registry().ReadTraffic();
  ASSERT_EQ(traffic.size(), 1);
  EXPECT_EQ(traffic[0].experiment, "voice");
  EXPECT_EQ(traffic[0].late, 3);
  EXPECT_EQ(traffic[0].refused, 1);
  WaitUntilCounted("kith_rows_total{code=\"DEADLINE_EXCEEDED\",rpc=\"StreamSearch\"} 48");
  WaitUntilCounted("kith_rows_total{code=\"RESOURCE_EXHAUSTED\",rpc=\"Search\"} 16");
}

}  // namespace
}  // namespace kith::testing
