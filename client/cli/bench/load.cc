#include "client/cli/bench/load.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "client/cli/bench/load_thread.h"

namespace kith::cli {
namespace {

int ConnectionsOf(const LoadOptions& options, size_t clients) {
  const int share = (options.connections + options.threads - 1) / options.threads;
  return std::clamp(share, 1, std::max(1, static_cast<int>(clients)));
}

// The clock of the machine and a server.
class PumpPort final : public LoadPort {
 public:
  PumpPort(const LoadOptions& options, const std::vector<int>& clients)
      : pump_(options.client, ConnectionsOf(options, clients.size())) {
    for (const int client : clients) {
      LaneOptions lane = options.lane;
      lane.experiment = options.experiments[static_cast<size_t>(client) % options.experiments.size()];
      pump_.AddLane(lane);
    }
  }

  absl::Status Connect(const Cancellation& cancellation) { return pump_.Connect(&cancellation); }
  TimePoint Now() const override { return Clock::now(); }
  void Send(int lane, int64_t sequence, FramesView frames) override { pump_.Send(lane, sequence, frames); }
  std::optional<BlockAnswer> Next(TimePoint until) override { return pump_.Next(until); }

 private:
  BlockPump pump_;
};

struct Part {
  Part(const LoadOptions& options, FramesView frames, int number)
      : port(options, ClientsOf(options, number)), thread(options, frames, number, port) {}

  PumpPort port;
  LoadThread thread;
};

// Sleeps until then or until it is cancelled.
void WaitUntil(TimePoint when, const Cancellation& cancellation) {
  (void)cancellation.WaitFor(absl::FromChrono(when - Clock::now()));
}

}  // namespace

void LoadResult::Add(const LoadResult& other) {
  latencies.Add(other.latencies);
  blocks += other.blocks;
  late += other.late;
  for (const auto& [reason, count] : other.errors) errors[reason] += count;
  under_way += other.under_way;
  answered_in_time += other.answered_in_time;
}

int64_t LoadResult::failed() const {
  int64_t sum = 0;
  for (const auto& [reason, count] : errors) sum += reason == kLateReason ? 0 : count;
  return sum;
}

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options, FramesView frames, const Cancellation& cancellation) {
  std::vector<std::unique_ptr<Part>> parts;
  for (int i = 0; i < options.threads; ++i) {
    parts.push_back(std::make_unique<Part>(options, frames, i));
    if (absl::Status connected = parts.back()->port.Connect(cancellation); !connected.ok()) return connected;
  }
  LoadWindow window;
  window.start = Clock::now();
  window.begin = window.start + absl::ToChronoNanoseconds(options.warm_up);
  window.end = window.begin + absl::ToChronoNanoseconds(options.duration);
  std::vector<std::thread> threads;
  threads.reserve(parts.size());
  for (const auto& part : parts) {
    threads.emplace_back([&part, &window, &cancellation] { part->thread.Run(window, cancellation); });
  }
  WaitUntil(window.begin, cancellation);
  options.on_begin();
  WaitUntil(window.end, cancellation);
  const TimePoint end = std::min(Clock::now(), window.end);
  options.on_end();
  for (std::thread& thread : threads) thread.join();

  LoadResult result;
  for (const auto& part : parts) result.Add(part->thread.result());
  result.seconds = std::max(0.0, std::chrono::duration<double>(end - window.begin).count());
  return result;
}

}  // namespace kith::cli
