#include "server/telemetry/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/telemetry/log_format.h"

namespace kith::telemetry {

void SetLogLevel(absl::string_view level) { spdlog::set_level(spdlog::level::from_str(std::string(level))); }

absl::Status SetUpLogging(absl::string_view level, absl::string_view format) {
  constexpr absl::string_view kLevels[] = {"trace", "debug", "info", "warn", "error"};
  if (std::find(std::begin(kLevels), std::end(kLevels), level) == std::end(kLevels)) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("log level '", level, "' is not one of trace, debug, info, warn, error"));
  }
  if (format != "text" && format != "json") {
    return Error(Reason::kBadParameter, absl::StrCat("log format '", format, "' is not one of text, json"));
  }
  auto logger = std::make_shared<spdlog::logger>("kith", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(format == "json" ? JsonFormatter() : TextFormatter());
  logger->set_level(spdlog::level::from_str(std::string(level)));
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

}  // namespace kith::telemetry
