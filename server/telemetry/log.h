// The log: spdlog's default logger, on stderr. Rooms write to it with spdlog::info("{} ...", ...) and the like.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kith::telemetry {

// level: trace, debug, info, warn or error. format: text ("2026-01-31T12:00:00.123Z info message") or json, one object
// a line with the keys time (RFC 3339, UTC), level and message. Whatever a message holds, it stays within its line and
// field (log_format.h). BAD_PARAMETER for any other level or format. To be called once, before other threads log.
absl::Status SetUpLogging(absl::string_view level, absl::string_view format);

// The least level that is logged from now on, and that which it is. BAD_PARAMETER. Thread-safe.
absl::Status SetLogLevel(absl::string_view level);
std::string LogLevel();

// What the calling thread logs is about a request until this goes away: each line ends in " request=ID", or has the key
// request_id. `id` is of visible ASCII and outlives this. They do not nest.
class LogsRequest {
 public:
  explicit LogsRequest(absl::string_view id);
  ~LogsRequest();
  LogsRequest(const LogsRequest&) = delete;
  LogsRequest& operator=(const LogsRequest&) = delete;

  // Empty where there is none.
  static absl::string_view Current();
};

}  // namespace kith::telemetry
