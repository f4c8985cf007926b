// How a log line looks.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

namespace kith::telemetry {

// TIME LEVEL MESSAGE. In the message control characters (C0, DEL, C1), line and paragraph separators and characters
// that turn the direction of writing are escaped as in JSON, backslashes are doubled, and bytes that are not UTF-8
// become U+FFFD.
std::unique_ptr<spdlog::formatter> TextFormatter();

// One JSON object, in ASCII: any other character is escaped.
std::unique_ptr<spdlog::formatter> JsonFormatter();

}  // namespace kith::telemetry
