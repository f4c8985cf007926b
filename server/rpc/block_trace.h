// Where the time of a block goes, from its arrival until gRPC has the answer.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "server/base/clock.h"
#include "server/engine/job.h"
#include "server/telemetry/metrics.h"

namespace kith::rpc {

struct BlockTrace {
  TimePoint received;
  int64_t rows = 0;  // known once the block is with the engine
  engine::JobTimes job;
};

// To be called when gRPC has a block's answer with its result: an answer is serialised while gRPC takes it.
inline void CountAnswered(const BlockTrace& trace, telemetry::Rpc rpc, telemetry::Metrics* metrics) {
  const TimePoint now = Clock::now();
  metrics->CountRows(rpc, trace.rows);
  metrics->ObserveBlock({trace.job.taken - trace.job.queued, trace.job.computed - trace.job.taken,
                         now - trace.job.computed, now - trace.received});
}

}  // namespace kith::rpc
