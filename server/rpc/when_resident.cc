#include "server/rpc/when_resident.h"

#include <grpcpp/alarm.h>

#include <atomic>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/guard.h"
#include "server/base/status.h"

namespace kith::rpc {
namespace {

// A block that waits. Whoever is first, the loader or the alarm, goes on with it.
class Waiting : public std::enable_shared_from_this<Waiting> {
 public:
  Waiting(std::string experiment, std::shared_ptr<void> place, BlockCall call, StartOn start)
      : experiment_(std::move(experiment)),
        place_(std::move(place)),
        call_(std::move(call)),
        start_(std::move(start)) {}

  void WatchDeadline() {
    if (call_.deadline == kNoDeadline) return;
    const auto rest = std::chrono::duration_cast<std::chrono::system_clock::duration>(call_.deadline - Clock::now());
    // Weak: gRPC keeps the function for as long as the alarm is there.
    alarm_.Set(std::chrono::system_clock::now() + rest, [waiting = weak_from_this()](bool came) {
      const auto self = waiting.lock();
      if (!came || self == nullptr || self->settled_.exchange(true)) return;
      self->place_ = nullptr;
      self->call_.done(
          Error(Reason::kLate, absl::StrCat("'", self->experiment_, "' was not in memory, and loading it took ",
                                            "longer than the block's time; send the next, or pin it")));
    });
  }

  void Loaded(const experiments::Registry::Resident& resident) {
    if (settled_.exchange(true)) return;
    alarm_.Cancel();
    place_ = nullptr;
    const auto done = call_.done;
    const absl::Status status = Guarded([&]() -> absl::Status {
      if (!resident.ok()) return resident.status();
      return start_(*resident, std::move(call_));
    });
    if (!status.ok()) done(status);
  }

 private:
  const std::string experiment_;
  std::shared_ptr<void> place_;  // among the rows that may wait; let go by whoever goes on
  BlockCall call_;
  const StartOn start_;
  std::atomic<bool> settled_{false};
  grpc::Alarm alarm_;
};

}  // namespace

absl::Status StartWhenLoaded(const Context& context, const std::string& experiment, int64_t rows, BlockCall call,
                             StartOn start) {
  auto place = context.engine->HoldRows(rows);
  if (!place.ok()) return place.status();
  const auto waiting = std::make_shared<Waiting>(experiment, *std::move(place), std::move(call), std::move(start));
  waiting->WatchDeadline();
  context.registry->Acquire(experiment, [waiting](const auto& resident) { waiting->Loaded(resident); });
  return absl::OkStatus();
}

}  // namespace kith::rpc
