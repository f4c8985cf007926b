#include "client/cpp/block_pump.h"

#include <utility>
#include <vector>

#include "client/cpp/connection.h"
#include "client/cpp/pump_alarm.h"
#include "client/cpp/pump_lane.h"

namespace kith {

using client::Connection;
using client::MakeLane;
using client::PumpAlarm;
using client::PumpLane;
using client::PumpShared;
using client::PumpTag;

class BlockPump::Impl {
 public:
  Impl(const ClientOptions& options, int connections)
      : unary_timeout_(options.unary_timeout), alarm_(&shared_.queue, &alarm_tag_) {
    for (int i = 0; i < connections; ++i) connections_.push_back(std::make_shared<Connection>(options));
  }

  ~Impl() {
    alarm_.Stop();
    for (const auto& lane : lanes_) lane->Cancel();
    shared_.queue.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (shared_.queue.Next(&tag, &ok)) {
    }
  }

  absl::Status Connect(const Cancellation* cancellation) {
    for (const auto& connection : connections_) connection->BeginToConnect();
    for (const auto& connection : connections_) {
      absl::Status ready = connection->WaitUntilReady(absl::InfiniteFuture(), cancellation);
      if (!ready.ok()) return ready;
    }
    return absl::OkStatus();
  }

  int AddLane(const LaneOptions& options) {
    const int number = static_cast<int>(lanes_.size());
    lanes_.push_back(
        MakeLane(shared_, connections_[lanes_.size() % connections_.size()], number, options, unary_timeout_));
    return number;
  }

  void Send(int lane, int64_t sequence, FramesView frames) { lanes_[lane]->Send(sequence, frames); }

  std::optional<BlockAnswer> Next(TimePoint until) {
    while (shared_.answers.empty()) {
      const bool due = std::chrono::steady_clock::now() >= until;
      if (!due) alarm_.Set(until);
      if (!HandleOne(due) && due) return std::nullopt;
    }
    BlockAnswer answer = std::move(shared_.answers.front());
    shared_.answers.pop_front();
    return answer;
  }

 private:
  // One event of the queue; without `at_once` it is waited for. False: there was none.
  bool HandleOne(bool at_once) {
    void* tag = nullptr;
    bool ok = false;
    const gpr_timespec until = at_once ? gpr_time_0(GPR_CLOCK_MONOTONIC) : gpr_inf_future(GPR_CLOCK_MONOTONIC);
    if (shared_.queue.AsyncNext(&tag, &ok, until) != grpc::CompletionQueue::GOT_EVENT) return false;
    if (tag == &alarm_tag_) {
      alarm_.Taken();
      return false;
    }
    auto* done = static_cast<PumpTag*>(tag);
    done->lane->Done(done, ok);
    return true;
  }

  const absl::Duration unary_timeout_;
  PumpShared shared_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<PumpLane>> lanes_;
  PumpTag alarm_tag_;
  PumpAlarm alarm_;
};

BlockPump::BlockPump(const ClientOptions& options, int connections)
    : impl_(std::make_unique<Impl>(options, connections)) {}
BlockPump::~BlockPump() = default;
absl::Status BlockPump::Connect(const Cancellation* cancellation) { return impl_->Connect(cancellation); }
int BlockPump::AddLane(const LaneOptions& options) { return impl_->AddLane(options); }
void BlockPump::Send(int lane, int64_t sequence, FramesView frames) { impl_->Send(lane, sequence, frames); }
std::optional<BlockAnswer> BlockPump::Next(TimePoint until) { return impl_->Next(until); }

}  // namespace kith
