// What counting and timing costs on the way of a block: all that is called for one block of a stream, by one worker or
// by several at once.
#include <benchmark/benchmark.h>

#include <chrono>

#include "server/experiments/traffic.h"
#include "server/telemetry/metrics.h"

namespace kith::telemetry {
namespace {

void CountABlock(benchmark::State& state) {
  static Metrics& metrics = *new Metrics(BuildInfo{});
  static experiments::Traffic& traffic = *new experiments::Traffic;
  const BlockTimes times{std::chrono::microseconds(12), std::chrono::microseconds(310), std::chrono::microseconds(14),
                         std::chrono::microseconds(350)};
  for ([[maybe_unused]] const auto each : state) {
    metrics.ObserveBatch(16);
    metrics.CountStreamBlock(Rpc::kStreamExpand, absl::StatusCode::kOk);
    metrics.CountRows(Rpc::kStreamExpand, absl::StatusCode::kOk, 16);
    metrics.ObserveBlock(times);
    experiments::Traffic::Count(&traffic.blocks);
    experiments::Traffic::Count(&traffic.rows, 16);
    experiments::Traffic::Count(&traffic.nanoseconds, 350'000);
  }
}
BENCHMARK(CountABlock)->ThreadRange(1, 4)->UseRealTime();

void ReadTheClock(benchmark::State& state) {
  for ([[maybe_unused]] const auto each : state) benchmark::DoNotOptimize(Clock::now());
}
BENCHMARK(ReadTheClock);

}  // namespace
}  // namespace kith::telemetry

BENCHMARK_MAIN();
