#include "server/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "server/base/status.h"

namespace kith::telemetry {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class MetricsTest : public ::testing::Test {
 protected:
  std::string Text() const { return metrics_.Text({}); }

  HistogramReading Reading(const std::string& name) const {
    for (HistogramReading& reading : metrics_.BlockHistograms()) {
      if (reading.name == name) return reading;
    }
    ADD_FAILURE() << "there is no histogram " << name;
    return {};
  }

  Metrics metrics_{{"1.2.3", "1.7.3 (bundled)", "AVX2"}};
};

TEST_F(MetricsTest, CallsAreCountedByNameAndCode) {
  metrics_.CountCall(Rpc::kSearch, absl::StatusCode::kOk);
  metrics_.CountCall(Rpc::kSearch, absl::StatusCode::kOk);
  metrics_.CountCall(Rpc::kTrain, absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Text(), HasSubstr("kith_requests_total{code=\"OK\",rpc=\"Search\"} 2\n"));
  EXPECT_THAT(Text(), HasSubstr("kith_requests_total{code=\"INVALID_ARGUMENT\",rpc=\"Train\"} 1\n"));
}

TEST_F(MetricsTest, ACodeThatNobodyKnowsMakesNoSeriesOfItsOwn) {
  metrics_.CountCall(Rpc::kGet, static_cast<absl::StatusCode>(4711));
  metrics_.CountCall(Rpc::kGet, static_cast<absl::StatusCode>(-1));
  EXPECT_THAT(Text(), HasSubstr("kith_requests_total{code=\"UNKNOWN\",rpc=\"Get\"} 2\n"));
}

TEST_F(MetricsTest, EveryCallHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int i = 0; i < kRpcs; ++i) names.insert(RpcName(static_cast<Rpc>(i)));
  EXPECT_EQ(names.size(), kRpcs);
  EXPECT_EQ(names.count(""), 0);
}

TEST_F(MetricsTest, BlocksOfStreamsAndRowsAreCounted) {
  metrics_.CountStreamBlock(Rpc::kStreamExpand, absl::StatusCode::kDeadlineExceeded);
  metrics_.CountRows(Rpc::kStreamExpand, absl::StatusCode::kOk, 16);
  metrics_.CountRows(Rpc::kStreamExpand, absl::StatusCode::kOk, 5);
  metrics_.CountRows(Rpc::kStreamExpand, absl::StatusCode::kDeadlineExceeded, 3);
  EXPECT_THAT(Text(), HasSubstr("kith_stream_blocks_total{code=\"DEADLINE_EXCEEDED\",rpc=\"StreamExpand\"} 1\n"));
  EXPECT_THAT(Text(), HasSubstr("kith_rows_total{code=\"OK\",rpc=\"StreamExpand\"} 21\n"));
  EXPECT_THAT(Text(), HasSubstr("kith_rows_total{code=\"DEADLINE_EXCEEDED\",rpc=\"StreamExpand\"} 3\n"));
}

TEST_F(MetricsTest, LateAndRefusedBlocksAreCountedAndOtherErrorsAreNot) {
  metrics_.CountFailedBlock(Error(Reason::kLate, "late"));
  metrics_.CountFailedBlock(Error(Reason::kOverloaded, "full"));
  metrics_.CountFailedBlock(Error(Reason::kMemoryBudget, "full"));
  metrics_.CountFailedBlock(Error(Reason::kBadParameter, "bad"));
  EXPECT_THAT(Text(), HasSubstr("kith_late_blocks_total 1\n"));
  EXPECT_THAT(Text(), HasSubstr("kith_refused_blocks_total{reason=\"OVERLOADED\"} 1\n"));
  EXPECT_THAT(Text(), HasSubstr("kith_refused_blocks_total{reason=\"MEMORY_BUDGET\"} 1\n"));
  EXPECT_THAT(Text(), Not(HasSubstr("BAD_PARAMETER")));
}

TEST_F(MetricsTest, WhatMayBeRefusedIsThereBeforeTheFirstIs) {
  EXPECT_THAT(Text(), HasSubstr("kith_refused_blocks_total{reason=\"OVERLOADED\"} 0\n"));
  EXPECT_THAT(Text(), HasSubstr("kith_late_blocks_total 0\n"));
}

TEST_F(MetricsTest, OutcomesAreCounted) {
  metrics_.CountLoad(LoadOutcome::kOk);
  metrics_.CountLoad(LoadOutcome::kDegraded);
  metrics_.CountLoad(LoadOutcome::kDegraded);
  metrics_.CountLoad(LoadOutcome::kFailed);
  metrics_.CountEviction();
  metrics_.CountTraining(absl::OkStatus());
  metrics_.CountTraining(Error(Reason::kShuttingDown, "bye"));
  metrics_.CountTraining(Error(Reason::kCancelled, "gone"));
  metrics_.CountImport(Error(Reason::kBadIndex, "no index"));
  metrics_.CountFold(Error(Reason::kStorage, "full"));
  const std::string text = Text();
  for (const char* line :
       {"kith_loads_total{outcome=\"ok\"} 1\n", "kith_loads_total{outcome=\"degraded\"} 2\n",
        "kith_loads_total{outcome=\"failed\"} 1\n", "kith_evictions_total 1\n",
        "kith_trainings_total{outcome=\"ok\"} 1\n", "kith_trainings_total{outcome=\"cancelled\"} 2\n",
        "kith_trainings_total{outcome=\"failed\"} 0\n", "kith_imports_total{outcome=\"failed\"} 1\n",
        "kith_folds_total{outcome=\"failed\"} 1\n", "kith_folds_total{outcome=\"ok\"} 0\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(MetricsTest, TheTimeOfABlockGoesIntoFourHistograms) {
  metrics_.ObserveBlock({microseconds(10), milliseconds(2), microseconds(30), milliseconds(3)});
  metrics_.ObserveBlock({microseconds(20), milliseconds(4), microseconds(50), milliseconds(5)});
  EXPECT_NEAR(Reading("kith_block_queue_seconds").sum, 30e-6, 1e-9);
  EXPECT_NEAR(Reading("kith_block_compute_seconds").sum, 6e-3, 1e-9);
  EXPECT_NEAR(Reading("kith_block_serialize_seconds").sum, 80e-6, 1e-9);
  EXPECT_NEAR(Reading("kith_block_seconds").sum, 8e-3, 1e-9);
  for (const HistogramReading& reading : metrics_.BlockHistograms()) {
    EXPECT_EQ(reading.count, reading.name == "kith_batch_rows" ? 0 : 2) << reading.name;
  }
  EXPECT_THAT(Text(), HasSubstr("kith_block_seconds_count 2\n"));
}

TEST_F(MetricsTest, AValueIsCountedAtTheFirstBoundThatIsNotBelowIt) {
  for (const int64_t rows : {1, 16, 17, 65536, 65537}) metrics_.ObserveBatch(rows);
  const HistogramReading reading = Reading("kith_batch_rows");
  ASSERT_EQ(reading.counts.size(), reading.bounds.size() + 1);
  std::vector<double> counted;  // bounds of what was counted
  for (size_t i = 0; i < reading.bounds.size(); ++i) {
    if (reading.counts[i] == 1) counted.push_back(reading.bounds[i]);
  }
  EXPECT_THAT(counted, ElementsAre(1, 16, 24, 65536));
  EXPECT_EQ(reading.counts.back(), 1);
  EXPECT_EQ(std::accumulate(reading.counts.begin(), reading.counts.end(), uint64_t{0}), reading.count);
  EXPECT_EQ(reading.sum, 1 + 16 + 17 + 65536 + 65537);
}

TEST_F(MetricsTest, LevelsAreThoseOfTheMoment) {
  Levels levels;
  levels.queue_rows = 48;
  levels.training = 1;
  levels.ready = 5;
  levels.degraded = 2;
  levels.failed = 3;
  levels.resident = 4;
  levels.memory_budget_bytes = int64_t{1} << 30;
  levels.memory_reserved_bytes = 4096;
  const std::string text = metrics_.Text(levels);
  for (const char* line :
       {"kith_queue_rows 48\n", "kith_experiments{state=\"training\"} 1\n", "kith_experiments{state=\"ready\"} 5\n",
        "kith_experiments{state=\"degraded\"} 2\n", "kith_experiments{state=\"failed\"} 3\n",
        "kith_resident_experiments 4\n", "kith_memory_budget_bytes 1073741824\n", "kith_memory_reserved_bytes 4096\n",
        "kith_build_info{version=\"1.2.3\",faiss=\"1.7.3 (bundled)\",instruction_set=\"AVX2\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(MetricsTest, NothingIsLostWhereThreadsCountAtOnce) {
  constexpr int kThreads = 4;
  constexpr int kTimes = 5000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      for (int n = 0; n < kTimes; ++n) {
        metrics_.CountCall(Rpc::kExpand, absl::StatusCode::kOk);
        metrics_.CountRows(Rpc::kExpand, absl::StatusCode::kOk, 16);
        metrics_.ObserveBatch(16);
        if (n % 1000 == 0) (void)Text();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(Text(), HasSubstr("kith_requests_total{code=\"OK\",rpc=\"Expand\"} 20000\n"));
  EXPECT_THAT(Text(), HasSubstr("kith_rows_total{code=\"OK\",rpc=\"Expand\"} 320000\n"));
  EXPECT_EQ(Reading("kith_batch_rows").count, kThreads * kTimes);
}

}  // namespace
}  // namespace kith::telemetry
