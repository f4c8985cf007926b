#include "server/engine/pace.h"

#include <algorithm>
#include <chrono>

namespace kith::engine {
namespace {

constexpr double kRemembered = 0.95;  // of the past, at each batch
constexpr int kBatchesToTrust = 16;

}  // namespace

void Pace::Measured(double work, Clock::duration taken) {
  work_ = kRemembered * work_ + work;
  seconds_ = kRemembered * seconds_ + std::chrono::duration<double>(taken).count();
  batches_ = std::min(batches_ + 1, kBatchesToTrust);
}

std::optional<double> Pace::WorkIn(Clock::duration time) const {
  if (batches_ < kBatchesToTrust || seconds_ <= 0) return std::nullopt;
  return std::chrono::duration<double>(time).count() * work_ / seconds_;
}

Clock::duration Pace::TimeFor(double work) const {
  if (batches_ < kBatchesToTrust || work_ <= 0) return {};
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(work * seconds_ / work_));
}

}  // namespace kith::engine
