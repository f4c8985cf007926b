// The log: spdlog's default logger, on stderr. Rooms write to it with spdlog::info("{} ...", ...) and the like.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kith::telemetry {

// level: trace, debug, info, warn or error. format: text ("2026-01-31T12:00:00.123Z info message") or json, one object
// a line with the keys time (RFC 3339, UTC), level and message. Whatever a message holds, it stays within its line and
// field (log_format.h). BAD_PARAMETER for any other level or format. To be called once, before other threads log.
absl::Status SetUpLogging(absl::string_view level, absl::string_view format);

// From now on. One of those levels.
void SetLogLevel(absl::string_view level);

}  // namespace kith::telemetry
