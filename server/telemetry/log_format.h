// How a log line looks. Of a token, wherever it comes from, there is no secret in it: kith_ID_***.
#pragma once

#include <spdlog/formatter.h>

#include <memory>
#include <string>

namespace kith::telemetry {

// "warn" and the like.
std::string LevelName(spdlog::level::level_enum level);

// TIME LEVEL MESSAGE, and " request=ID" where there is one (log.h: LogsRequest). In the message control characters (C0,
// DEL, C1), line and paragraph separators and characters that turn the direction of writing are escaped as in JSON,
// backslashes are doubled, and bytes that are not UTF-8 become U+FFFD.
std::unique_ptr<spdlog::formatter> TextFormatter();

// One JSON object, in ASCII: any other character is escaped. Keys: time, level, message, and request_id where there is
// one.
std::unique_ptr<spdlog::formatter> JsonFormatter();

}  // namespace kith::telemetry
