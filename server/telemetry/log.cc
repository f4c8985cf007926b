#include "server/telemetry/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/telemetry/log_format.h"

namespace kith::telemetry {
namespace {

thread_local absl::string_view current_request;

absl::Status CheckLevel(absl::string_view level) {
  constexpr absl::string_view kLevels[] = {"trace", "debug", "info", "warn", "error"};
  if (std::find(std::begin(kLevels), std::end(kLevels), level) != std::end(kLevels)) return absl::OkStatus();
  return Error(Reason::kBadParameter,
               absl::StrCat("log level '", level, "' is not one of trace, debug, info, warn, error"));
}

}  // namespace

absl::Status SetUpLogging(absl::string_view level, absl::string_view format) {
  if (absl::Status status = CheckLevel(level); !status.ok()) return status;
  if (format != "text" && format != "json") {
    return Error(Reason::kBadParameter, absl::StrCat("log format '", format, "' is not one of text, json"));
  }
  auto logger = std::make_shared<spdlog::logger>("kith", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(format == "json" ? JsonFormatter() : TextFormatter());
  logger->set_level(spdlog::level::from_str(std::string(level)));
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

absl::Status SetLogLevel(absl::string_view level) {
  if (absl::Status status = CheckLevel(level); !status.ok()) return status;
  const std::shared_ptr<spdlog::logger> logger = spdlog::default_logger();
  const spdlog::level::level_enum before = logger->level();
  const spdlog::level::level_enum after = spdlog::level::from_str(std::string(level));
  logger->set_level(std::min(before, after));
  if (after != before) logger->info("the log level is {} from now on; it was {}", LevelName(after), LevelName(before));
  logger->set_level(after);
  return absl::OkStatus();
}

std::string LogLevel() { return LevelName(spdlog::default_logger()->level()); }

LogsRequest::LogsRequest(absl::string_view id) { current_request = id; }
LogsRequest::~LogsRequest() { current_request = {}; }
absl::string_view LogsRequest::Current() { return current_request; }

}  // namespace kith::telemetry
