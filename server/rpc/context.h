// What every handler works with.
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "server/base/thread_pool.h"
#include "server/config/live_limits.h"
#include "server/engine/engine.h"
#include "server/experiments/registry.h"
#include "server/experiments/trainer.h"
#include "server/storage/store.h"
#include "server/telemetry/metrics.h"
#include "server/telemetry/slow_log.h"

namespace kith::rpc {

class AnswerRoom;

// What GetServerInfo tells besides what it looks up.
struct ServerFacts {
  std::string version;
  int search_threads = 0;
  absl::Time started;
};

// All outlive the server's calls. Handlers run on gRPC's few threads and never compute nor wait: searches go to the
// engine, uploads and whatever touches the disk to the pool. What waits for other work on an experiment goes to the
// registry, so that one voice never holds up the others.
struct Context {
  const config::LiveLimits* limits;
  storage::Store* store;
  experiments::Registry* registry;
  experiments::Trainer* trainer;
  engine::Engine* engine;
  ThreadPool* pool;
  std::shared_ptr<telemetry::Metrics> metrics;
  std::shared_ptr<telemetry::SlowLog> slow_log;
  ServerFacts facts;
  AnswerRoom* answers = nullptr;  // the server's own
};

}  // namespace kith::rpc
