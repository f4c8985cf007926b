#include <algorithm>
#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "bench/aims/pinned.h"
#include "bench/aims/remote.h"
#include "bench/aims/rows.h"
#include "bench/aims/spread.h"
#include "client/cli/bench/load.h"

namespace kith::bench {
namespace {

constexpr int kClients = 64;
constexpr int kLargeBlock = 512;
constexpr int kStreams = 1000;
constexpr int kVoices = 8;
constexpr double kBlocksASecond = 4;

cli::LoadResult Run(const cli::LoadOptions& options, FramesView frames) {
  const Cancellation never;
  auto result = cli::RunLoad(options, frames, never);
  if (!result.ok()) Die(std::string(result.status().message()));
  return *std::move(result);
}

std::string Milliseconds(const cli::LatencyHistogram& latencies, double percent) {
  return Format("%.2f", std::chrono::duration<double, std::milli>(latencies.Percentile(percent)).count());
}

// Microseconds of the server's processor time for a row.
double ServerCpuPerRow(Stage& stage, const Voice& voice) {
  double begin = 0;
  double end = 0;
  cli::LoadOptions load;
  load.client.target = stage.server().address();
  load.experiments = {voice.name};
  load.clients = kClients;
  load.connections = kClients;
  load.warm_up = absl::Milliseconds(300);
  load.duration = absl::Seconds(stage.setting.quick ? 1 : 2);
  load.on_begin = [&] { begin = stage.server().Use().cpu_seconds; };
  load.on_end = [&] { end = stage.server().Use().cpu_seconds; };
  const cli::LoadResult result = Run(load, voice.queries);
  if (!result.errors.empty()) Die("blocks failed: " + result.errors.begin()->first);
  return (end - begin) * 1e6 / static_cast<double>(result.answered_in_time * kBlock);
}

double SelfCpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Microseconds of this process's processor time for a row, as the server's are counted.
double SelfCpuPerRow(const std::function<void(int64_t block)>& call) {
  constexpr int kCalls = 20;
  call(0);
  const double begin = SelfCpuSeconds();
  for (int i = 0; i < kCalls; ++i) call(i);
  return (SelfCpuSeconds() - begin) * 1e6 / (kCalls * kLargeBlock);
}

}  // namespace

void ServerCpuRows(Stage& stage, Report& report) {
  const Voice& voice = stage.Generated(30000);
  const auto baseline = stage.Local(voice);
  const auto row_of = [&](int64_t block) {
    return voice.queries.values.data() + block * kLargeBlock % (voice.queries.rows() - kLargeBlock + 1) * kDimension;
  };
  std::vector<double> server;
  std::vector<double> blended;
  std::vector<double> searched;
  for (int round = 0; round < (stage.setting.quick ? 3 : 5); ++round) {
    server.push_back(ServerCpuPerRow(stage, voice));
    Baseline::Use(1);
    blended.push_back(SelfCpuPerRow([&](int64_t block) { baseline->Expand(row_of(block), kLargeBlock); }));
    searched.push_back(SelfCpuPerRow([&](int64_t block) { baseline->Search(row_of(block), kLargeBlock); }));
  }
  const double ratio = SpreadOf(server).median / SpreadOf(blended).median;
  report.AtMost(
      "server_cpu_per_row_64_clients", ratio, 1.25,
      Format("processor time: server %s a row; faiss and blend of 512 rows on one thread %s, the search alone %s",
             Text(SpreadOf(server), " us").c_str(), Text(SpreadOf(blended), " us").c_str(),
             Text(SpreadOf(searched), " us").c_str()));
}

void RealTimeRows(Stage& stage, Report& report) {
  const std::vector<int> cores = UsableCores();
  if (cores.size() < 2) {
    std::printf("needs two cores: one for the server, one for the load\n");
    return;
  }
  Server server(stage.setting.kithd);
  cli::LoadOptions load;
  Frames queries;
  {
    Client client({server.address()});
    for (int i = 0; i < kVoices; ++i) {
      const Voice voice = GeneratedVoice(30000, 10 + i);
      TrainVoice(client, voice.name, voice.frames);
      load.experiments.push_back(voice.name);
      queries = voice.queries;
    }
  }
  server.Restart(cores[0]);
  const Pinned pinned(cores[1]);
  for (const std::string& name : load.experiments) Remote(server.address(), name, 0).Expand(queries);

  double begin = 0;
  double end = 0;
  double self_begin = 0;
  double self_end = 0;
  load.client.target = server.address();
  load.clients = kStreams;
  load.connections = kClients;
  load.rate = kBlocksASecond;
  load.lane.budget = absl::Milliseconds(250);
  load.warm_up = absl::Seconds(3);
  load.duration = absl::Seconds(stage.setting.quick ? 5 : 15);
  load.on_begin = [&] {
    begin = server.Use().cpu_seconds;
    self_begin = SelfCpuSeconds();
  };
  load.on_end = [&] {
    end = server.Use().cpu_seconds;
    self_end = SelfCpuSeconds();
  };
  const cli::LoadResult result = Run(load, queries);
  const double p99 = std::chrono::duration<double, std::milli>(result.latencies.Percentile(99)).count();
  report.AtMost("1000_streams_p99_ms", p99, 10,
                Format("p50 %s, p95 %s, p99 %s, max %s ms of %lld blocks; the server's core was busy for %.0f %%, the "
                       "load's for %.0f %%",
                       Milliseconds(result.latencies, 50).c_str(), Milliseconds(result.latencies, 95).c_str(),
                       Milliseconds(result.latencies, 99).c_str(), Milliseconds(result.latencies, 100).c_str(),
                       static_cast<long long>(result.blocks), (end - begin) / result.seconds * 100,
                       (self_end - self_begin) / result.seconds * 100));
  report.AtMost("1000_streams_late_blocks", static_cast<double>(result.late + result.failed()), 0,
                Format("%lld late, %lld failed otherwise%s%s", static_cast<long long>(result.late),
                       static_cast<long long>(result.failed()), result.errors.empty() ? "" : "; first reason ",
                       result.errors.empty() ? "" : result.errors.begin()->first.c_str()));
}

}  // namespace kith::bench
