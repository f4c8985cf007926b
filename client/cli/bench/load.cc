#include "client/cli/bench/load.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "client/cli/bench/load_thread.h"

namespace kith::cli {
namespace {

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
  answered_in_time += other.answered_in_time;
}

int64_t LoadResult::failed() const {
  int64_t sum = 0;
  for (const auto& [reason, count] : errors) sum += count;
  return sum;
}

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options, FramesView frames, const Cancellation& cancellation) {
  std::vector<std::unique_ptr<LoadThread>> parts;
  for (int i = 0; i < options.threads; ++i) {
    parts.push_back(std::make_unique<LoadThread>(options, frames, i));
    if (absl::Status connected = parts.back()->Connect(cancellation); !connected.ok()) return connected;
  }
  LoadWindow window;
  window.start = Clock::now();
  window.begin = window.start + absl::ToChronoNanoseconds(options.warm_up);
  window.end = window.begin + absl::ToChronoNanoseconds(options.duration);
  std::vector<std::thread> threads;
  threads.reserve(parts.size());
  for (const auto& part : parts) {
    threads.emplace_back([&part, &window, &cancellation] { part->Run(window, cancellation); });
  }
  WaitUntil(window.begin, cancellation);
  options.on_begin();
  WaitUntil(window.end, cancellation);
  const TimePoint end = std::min(Clock::now(), window.end);
  options.on_end();
  for (std::thread& thread : threads) thread.join();

  LoadResult result;
  for (const auto& part : parts) result.Add(part->result());
  result.seconds = std::max(0.0, std::chrono::duration<double>(end - window.begin).count());
  return result;
}

}  // namespace kith::cli
