// Wakes a thread that waits on a completion queue at a precise moment: gRPC's own timers count in whole milliseconds.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "grpcpp/alarm.h"
#include "grpcpp/completion_queue.h"

namespace kith::client {

class PumpAlarm {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Puts `tag` into `queue` when it goes off.
  PumpAlarm(grpc::CompletionQueue* queue, void* tag);
  ~PumpAlarm();
  PumpAlarm(const PumpAlarm&) = delete;
  PumpAlarm& operator=(const PumpAlarm&) = delete;

  // Goes off once, at `when`, unless it is set anew before that.
  void Set(TimePoint when);

  // To be told when the tag has come out of the queue: there is only one.
  void Taken();

  // Ends the thread; it goes off no more.
  void Stop();

 private:
  void Run();

  grpc::CompletionQueue* const queue_;
  void* const tag_;
  std::mutex mutex_;  // guards all below but the thread
  std::condition_variable changed_;
  std::optional<TimePoint> when_;
  bool queued_ = false;  // the tag
  bool stopping_ = false;
  grpc::Alarm alarm_;
  std::thread thread_;
};

}  // namespace kith::client
