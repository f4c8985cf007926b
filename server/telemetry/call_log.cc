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

void LogFloodingConnection(absl::string_view peer, int64_t others) {
  const std::string left_out = others > 0 ? fmt::format("; so were {} more since the last such line", others) : "";
  spdlog::warn("the connection of {} was ended: it opened and reset streams faster than they can be refused{}",
               std::string(peer), left_out);
}

}  // namespace kith::telemetry
