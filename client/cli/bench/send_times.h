// When the blocks of a fixed-rate load are to be sent.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>

namespace kith::cli {

// Each of `clients` sends `rate` blocks a second, evenly, and the clients are spread evenly over the time between two
// blocks: block number b of client c is due at (b + c / clients) / rate. The times do not depend on what the server
// does, so that a latency that is counted from them holds the time for which a late server kept later blocks from being
// sent (no coordinated omission).
class SendTimes {
 public:
  // Both more than 0.
  SendTimes(double rate, int clients) : rate_(rate), clients_(clients) {}

  // From the start of the load.
  std::chrono::nanoseconds Due(int client, int64_t block) const {
    const double periods = static_cast<double>(block) + static_cast<double>(client) / clients_;
    return std::chrono::nanoseconds(std::llround(periods / rate_ * 1e9));
  }

 private:
  const double rate_;
  const int clients_;
};

}  // namespace kith::cli
