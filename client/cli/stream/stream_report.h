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
  int refused = 0;  // clients whom the server refused in the end
  int64_t blocks = 0;
  int64_t rows = 0;
  int64_t blended = 0;
  int64_t late = 0;
  int64_t bypassed = 0;
  int64_t errors = 0;
  int64_t failed_blocks = 0;  // the part of `errors` that is no broken stream
  int64_t answers = 0;
  int64_t reconnects = 0;
  Latencies latencies;
  absl::Status block_error;    // of the first block that failed
  absl::Status link_error;     // of the last stream that broke, or why there is none
  absl::Status refusal;        // of the last client that was refused
  absl::Status opening_error;  // why the server did not answer before the playing began

  void Add(const PlayoutCounts& playout, const LinkCounts& link);

  Json ToJson() const;  // percentiles are null without any answer
  std::string ToText() const;

  // 0: played to the end with a server, however late its answers were, or there was nothing to play. 1: blocks failed,
  // or a client was refused. 3: no answer came.
  int ExitCode() const;

  // What there is to say of failures; empty where there is nothing. `target` is the server.
  std::string Message(const std::string& target) const;
};

}  // namespace kith::cli
