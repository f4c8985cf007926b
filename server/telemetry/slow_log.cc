#include "server/telemetry/slow_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "server/telemetry/log.h"

namespace kith::telemetry {
namespace {

double Milliseconds(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

}  // namespace

void SlowLog::Log(const SlowBlock& block, TimePoint now) {
  int64_t left_out = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const double seconds = std::chrono::duration<double>(now - std::exchange(filled_, now)).count();
    room_ = std::min(kBurst, room_ + kLinesPerSecond * std::max(0.0, seconds));
    if (room_ < 1) {
      ++left_out_;
      return;
    }
    room_ -= 1;
    left_out = std::exchange(left_out_, 0);
  }
  const LogsRequest about(block.request_id);
  const std::string others = left_out > 0 ? fmt::format("; {} more were slow since the last such line", left_out) : "";
  spdlog::warn("slow {} of '{}': {:.1f} ms, of that {:.1f} in the queue and {:.1f} computing; {} rows{}",
               RpcName(block.rpc), std::string(block.experiment), Milliseconds(block.total), Milliseconds(block.queue),
               Milliseconds(block.compute), block.rows, others);
}

}  // namespace kith::telemetry
