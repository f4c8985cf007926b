// More blocks than the server can search: what becomes of those that it takes, and of the other clients' where one
// sends them all. The server is on one core, and the load comes from the other.
#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "bench/aims/pinned.h"
#include "bench/aims/remote.h"
#include "bench/aims/rows.h"
#include "client/cli/bench/load.h"

namespace kith::bench {
namespace {

constexpr int kClients = 16;
constexpr int kVictims = 8;
constexpr double kVictimsShare = 0.3;  // of the load that fits
constexpr double kFlood = 2;           // the same
constexpr int kBudgetMilliseconds = 100;
constexpr double kLoads[] = {0.5, 0.8, 1, 1.5, 2, 3};  // of the load that fits

struct Load {
  std::string address;
  std::string voice;
  FramesView frames;
  double seconds = 0;
  bool flood = false;  // a stream takes no more blocks than it has room for: those of a flood are not even sent

  cli::LoadOptions Of(int clients) const {
    cli::LoadOptions options;
    options.client.target = address;
    options.experiments = {voice};
    options.clients = clients;
    options.connections = clients;
    options.lane.budget = absl::Milliseconds(kBudgetMilliseconds);
    options.warm_up = absl::Seconds(1);
    options.duration = absl::Seconds(seconds);
    return options;
  }

  cli::LoadResult Run(const cli::LoadOptions& options) const {
    const Cancellation never;
    auto result = cli::RunLoad(options, frames, never);
    if (!result.ok()) Die(std::string(result.status().message()));
    for (const auto& [reason, count] : result->errors) {
      if (reason == "NO_ANSWER" && flood) continue;
      if (reason != cli::kLateReason && reason != "OVERLOADED") Die("blocks failed: " + reason);
    }
    return *std::move(result);
  }

  // Blocks a second of clients that send their next one once the last one was answered.
  double Capacity() const {
    cli::LoadOptions options = Of(kClients);
    options.lane.budget.reset();
    const cli::LoadResult result = Run(options);
    return static_cast<double>(result.answered_in_time) / result.seconds;
  }

  // So many blocks a second, whatever becomes of them.
  cli::LoadResult At(double blocks_a_second, int clients) const {
    cli::LoadOptions options = Of(clients);
    options.rate = blocks_a_second / clients;
    return Run(options);
  }
};

double P99(const cli::LoadResult& result) {
  return std::chrono::duration<double, std::milli>(result.latencies.Percentile(99)).count();
}

double Throughput(const cli::LoadResult& result) {
  return static_cast<double>(result.answered_in_time) / result.seconds;
}

int64_t Refused(const cli::LoadResult& result) {
  int64_t sum = 0;
  for (const auto& [reason, count] : result.errors) sum += count;
  return sum;
}

std::string Times(double load) { return Format("%gx", load); }

// Throughput and p99 of what is answered, as the load grows.
void Curve(const Load& load, double capacity, Report& report) {
  std::vector<cli::LoadResult> results;
  double peak = capacity;
  for (const double share : kLoads) {
    results.push_back(load.At(share * capacity, kClients));
    const cli::LoadResult& result = results.back();
    peak = std::max(peak, Throughput(result));
    std::printf("%4s the load: %5.0f blocks/s due, %5.0f answered; p50 %.2f, p99 %.2f ms; %.1f %% refused\n",
                Times(share).c_str(), share * capacity, Throughput(result),
                std::chrono::duration<double, std::milli>(result.latencies.Percentile(50)).count(), P99(result),
                100.0 * static_cast<double>(Refused(result)) / static_cast<double>(result.blocks + Refused(result)));
  }
  for (size_t i = 0; i < results.size(); ++i) {
    if (kLoads[i] <= 1) continue;
    report.AtLeast("overload_" + Times(kLoads[i]) + "_throughput_vs_peak", Throughput(results[i]) / peak, 0.9,
                   Format("%.0f blocks/s answered, %.0f at the peak", Throughput(results[i]), peak));
    report.AtMost(
        "overload_" + Times(kLoads[i]) + "_p99_vs_budget", P99(results[i]) / kBudgetMilliseconds, 1,
        Format("%.1f ms of the blocks that were answered, budget %d ms", P99(results[i]), kBudgetMilliseconds));
  }
}

// One connection sends twice what fits, while others go on as they did.
void Fairness(const Load& load, double capacity, Report& report) {
  const double victims = kVictimsShare * capacity;
  const cli::LoadResult alone = load.At(victims, kVictims);
  cli::LoadResult flooded;
  std::thread flood([&] {
    Load longer = load;
    longer.seconds += 1;
    longer.flood = true;
    flooded = longer.At(kFlood * capacity, 1);
  });
  const cli::LoadResult beside = load.At(victims, kVictims);
  flood.join();
  report.AtMost("fairness_p99_beside_a_flood", P99(beside) / P99(alone), 2,
                Format("p99 %.2f ms of %d clients alone, %.2f ms beside one that sends %.0f blocks/s; %lld of theirs "
                       "refused; of the flood %.0f blocks/s answered",
                       P99(alone), kVictims, P99(beside), kFlood * capacity, static_cast<long long>(Refused(beside)),
                       Throughput(flooded)));
}

}  // namespace

void OverloadRows(Stage& stage, Report& report) {
  const std::vector<int> cores = UsableCores();
  if (cores.size() < 2) {
    std::printf("needs two cores: one for the server, one for the load\n");
    return;
  }
  Server server(stage.setting.kithd);
  const Voice voice = GeneratedVoice(30000);
  {
    Client client({server.address()});
    TrainOptions train;
    train.recipe = Recipe{};  // auto, as voices are trained by default
    const Experiment trained = TrainVoice(client, voice.name, voice.frames, train);
    std::printf("%s, nprobe %d\n", trained.factory.c_str(), trained.nprobe);
  }
  server.Restart(cores[0]);
  const Pinned pinned(cores[1]);
  const Load load{server.address(), voice.name, voice.queries, stage.setting.quick ? 1.0 : 4.0};
  load.Capacity();  // loads the voice, and warms up
  const double capacity = load.Capacity();
  Curve(load, capacity, report);
  Fairness(load, capacity, report);
}

}  // namespace kith::bench
