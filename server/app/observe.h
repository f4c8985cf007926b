// What kithd shows of itself over HTTP.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/engine/engine.h"
#include "server/experiments/memory_budget.h"
#include "server/experiments/registry.h"
#include "server/http/server.h"
#include "server/telemetry/metrics.h"

namespace kith::app {

// How things stand now.
telemetry::Levels LevelsOf(const engine::Engine& engine, const experiments::Registry& registry,
                           const experiments::MemoryBudget& budget);

// Shows the pages on `listen`, http.listen of the configuration, and logs where; nothing and null where that is empty.
// UNAVAILABLE where the address cannot be had.
absl::StatusOr<std::unique_ptr<http::Server>> ServeHttp(const std::string& listen, http::Pages pages,
                                                        const http::Security& security);

}  // namespace kith::app
