#include "server/app/grpc_log.h"

#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

#include <string_view>

namespace kith::app {
namespace {

bool IsAboutAClient(std::string_view file) {
  return file.find("transport_security") != std::string_view::npos ||
         file.find("security_handshaker") != std::string_view::npos;
}

spdlog::level::level_enum LevelOf(const gpr_log_func_args& said) {
  if (said.severity == GPR_LOG_SEVERITY_DEBUG) return spdlog::level::trace;
  if (said.severity == GPR_LOG_SEVERITY_INFO || IsAboutAClient(said.file)) return spdlog::level::debug;
  return spdlog::level::warn;
}

void Log(gpr_log_func_args* said) {
  const std::string_view file(said->file);
  spdlog::log(LevelOf(*said), "gRPC: {} ({}:{})", said->message, file.substr(file.rfind('/') + 1), said->line);
}

}  // namespace

void LogWhatGrpcSays() { gpr_set_log_function(Log); }

}  // namespace kith::app
