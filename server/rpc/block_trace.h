// Where the time of a block goes, from its arrival until gRPC has the answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "server/base/clock.h"
#include "server/engine/job.h"
#include "server/experiments/traffic.h"
#include "server/telemetry/metrics.h"

namespace kith::rpc {

struct BlockTrace {
  TimePoint received;
  // Known once the block waits for its experiment or is with the engine.
  int64_t rows = 0;
  std::shared_ptr<experiments::Traffic> traffic;
  engine::JobTimes job;
};

// To be called when gRPC has a block's answer with its result: an answer is serialised while gRPC takes it.
inline void CountAnswered(const BlockTrace& trace, telemetry::Rpc rpc, telemetry::Metrics* metrics) {
  const TimePoint now = Clock::now();
  metrics->CountRows(rpc, absl::StatusCode::kOk, trace.rows);
  metrics->ObserveBlock({trace.job.taken - trace.job.queued, trace.job.computed - trace.job.taken,
                         now - trace.job.computed, now - trace.received});
  using experiments::Traffic;
  Traffic::Count(&trace.traffic->blocks);
  Traffic::Count(&trace.traffic->rows, trace.rows);
  Traffic::Count(&trace.traffic->nanoseconds,
                 std::chrono::duration_cast<std::chrono::nanoseconds>(now - trace.received).count());
}

// For a block that got no result.
inline void CountFailed(const BlockTrace& trace, telemetry::Rpc rpc, const absl::Status& status,
                        telemetry::Metrics* metrics) {
  metrics->CountRows(rpc, status.code(), trace.rows);
  const telemetry::BlockFailure failure = metrics->CountFailedBlock(status);
  if (trace.traffic == nullptr) return;
  if (failure == telemetry::BlockFailure::kLate) experiments::Traffic::Count(&trace.traffic->late);
  if (failure == telemetry::BlockFailure::kRefused) experiments::Traffic::Count(&trace.traffic->refused);
}

}  // namespace kith::rpc
