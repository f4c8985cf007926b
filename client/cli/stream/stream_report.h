// What `kith stream` says at the end.
#pragma once

#include <string>

#include "client/cli/context.h"
#include "client/cli/stream/link.h"
#include "client/cli/stream/playout.h"

namespace kith::cli {

// The sum of all clients.
struct StreamReport {
  int clients = 0;
  int64_t blocks = 0;
  int64_t rows = 0;
  int64_t blended = 0;
  int64_t late = 0;
  int64_t bypassed = 0;
  int64_t errors = 0;
  int64_t answers = 0;
  int64_t reconnects = 0;
  Latencies latencies;
  absl::Status last_error;

  void Add(const PlayoutCounts& playout, const LinkCounts& link);

  Json ToJson() const;  // percentiles are null without any answer
  std::string ToText() const;

  // 0 when any block was played with its answer; 3 when no answer came at all; else 1.
  int ExitCode() const;
};

}  // namespace kith::cli
