// One thread's share of a load.
#pragma once

#include <chrono>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/cli/bench/load.h"
#include "client/cli/bench/send_times.h"
#include "client/cpp/block_pump.h"

namespace kith::cli {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

struct LoadWindow {
  TimePoint start;  // of the load
  TimePoint begin;  // of what is measured
  TimePoint end;    // of both
};

// The time and the server, as a thread of the load sees them.
class LoadPort {
 public:
  virtual ~LoadPort() = default;
  virtual TimePoint Now() const = 0;
  // As those of BlockPump.
  virtual void Send(int lane, int64_t sequence, FramesView frames) = 0;
  virtual std::optional<BlockAnswer> Next(TimePoint until) = 0;
};

// The clients of thread `number`: every c with c % options.threads == number. They are the port's lanes, in this order.
std::vector<int> ClientsOf(const LoadOptions& options, int number);

class LoadThread {
 public:
  // `options` and `port` must outlive it.
  LoadThread(const LoadOptions& options, FramesView frames, int number, LoadPort& port);

  // Sends blocks until the end of the window and takes their answers.
  void Run(const LoadWindow& window, const Cancellation& cancellation);

  const LoadResult& result() const { return result_; }

 private:
  struct Sent {
    TimePoint due;
    int client;
  };
  using Next = std::pair<TimePoint, int>;  // when, which of clients_

  bool open_loop() const { return options_.rate.has_value(); }
  TimePoint FirstDue(size_t client) const;
  void SendDue(TimePoint now);
  void Send(const Next& next);
  void Take(const BlockAnswer& answer);
  void Count(const Sent& sent, const absl::Status& status, TimePoint now);
  TimePoint WakeUp(TimePoint now, bool sending) const;

  const LoadOptions& options_;
  const FramesView frames_;
  LoadPort& port_;
  const std::vector<int> clients_;
  std::vector<int64_t> blocks_;  // sent, of each
  SendTimes times_;
  LoadWindow window_;
  std::priority_queue<Next, std::vector<Next>, std::greater<>> due_;
  std::unordered_map<int64_t, Sent> unanswered_;  // by sequence
  int64_t sequence_ = 0;
  LoadResult result_;
};

}  // namespace kith::cli
