#include "server/telemetry/call_log.h"

#include <spdlog/spdlog.h>

#include <string>

#include "server/telemetry/log.h"

namespace kith::telemetry {

void LogFailedCall(Rpc rpc, absl::string_view call_id, absl::string_view why) {
  if (!spdlog::should_log(spdlog::level::debug)) return;
  const LogsRequest about(call_id);
  spdlog::debug("{} failed: {}", RpcName(rpc), std::string(why));
}

}  // namespace kith::telemetry
