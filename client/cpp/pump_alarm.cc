#include "client/cpp/pump_alarm.h"

#include <sys/prctl.h>

namespace kith::client {
namespace {

constexpr unsigned long kTimerSlack = 1000;  // nanoseconds; the system's default of 50 us would be seen in latencies

}  // namespace

PumpAlarm::PumpAlarm(grpc::CompletionQueue* queue, void* tag)
    : queue_(queue), tag_(tag), thread_(&PumpAlarm::Run, this) {}

PumpAlarm::~PumpAlarm() { Stop(); }

void PumpAlarm::Set(TimePoint when) {
  std::lock_guard lock(mutex_);
  if (when_ == when) return;
  when_ = when;
  changed_.notify_one();
}

void PumpAlarm::Taken() {
  std::lock_guard lock(mutex_);
  queued_ = false;
  changed_.notify_one();
}

void PumpAlarm::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void PumpAlarm::Run() {
  prctl(PR_SET_TIMERSLACK, kTimerSlack, 0, 0, 0);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!when_ || queued_) {
      changed_.wait(lock);
    } else if (std::chrono::steady_clock::now() < *when_) {
      changed_.wait_until(lock, TimePoint(*when_));
    } else {
      when_.reset();
      queued_ = true;
      alarm_.Set(queue_, gpr_time_0(GPR_CLOCK_MONOTONIC), tag_);  // at once
    }
  }
}

}  // namespace kith::client
