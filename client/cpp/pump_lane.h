// The lanes of a BlockPump: calls on a completion queue. All of it belongs to the pump's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "client/cpp/block_pump.h"
#include "client/cpp/connection.h"
#include "grpcpp/completion_queue.h"

namespace kith::client {

class PumpLane;

// What gRPC gives back when an operation of a lane is over.
struct PumpTag {
  PumpLane* lane = nullptr;
  int operation = 0;  // the lane's own
};

// What the lanes of a pump share.
struct PumpShared {
  grpc::CompletionQueue queue;
  std::deque<BlockAnswer> answers;  // not yet taken
};

class PumpLane {
 public:
  virtual ~PumpLane() = default;
  virtual void Send(int64_t sequence, FramesView frames) = 0;
  // `operation` is over; begins what comes next.
  virtual void Done(PumpTag* tag, bool ok) = 0;
  // Ends what runs; nothing is begun any more.
  virtual void Cancel() = 0;
};

std::unique_ptr<PumpLane> MakeLane(PumpShared& shared, std::shared_ptr<Connection> connection, int number,
                                   const LaneOptions& options, absl::Duration unary_timeout);

}  // namespace kith::client
