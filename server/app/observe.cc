#include "server/app/observe.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "server/config/listen.h"

namespace kith::app {

telemetry::Levels LevelsOf(const engine::Engine& engine, const experiments::Registry& registry,
                           const experiments::MemoryBudget& budget) {
  const experiments::Counts counts = registry.Count();
  telemetry::Levels levels;
  levels.queue_rows = engine.waiting_rows();
  levels.training = counts.training;
  levels.ready = counts.ready;
  levels.degraded = counts.degraded;
  levels.failed = counts.failed;
  levels.resident = counts.resident;
  levels.memory_budget_bytes = budget.limit();
  levels.memory_reserved_bytes = budget.used();
  return levels;
}

absl::StatusOr<std::unique_ptr<http::Server>> ServeHttp(const std::string& listen, http::Pages pages,
                                                        const http::Security& security) {
  if (listen.empty()) return nullptr;
  const auto address = config::ParseListen(listen);
  if (!address.ok()) return address.status();
  auto server = http::Server::Start(address->host, address->port, std::move(pages), {}, security);
  if (!server.ok()) return server.status();
  spdlog::info("metrics on {}://{}:{}/metrics", security.tls == nullptr ? "http" : "https",
               listen.substr(0, listen.rfind(':')), (*server)->port());
  if (!config::IsLoopback(*address) && security.tokens == nullptr) {
    spdlog::warn("http.listen: {} can be reached from other machines; whoever reaches it can read the metrics", listen);
  }
  return server;
}

}  // namespace kith::app
