// What every handler works with.
#pragma once

#include "server/base/thread_pool.h"
#include "server/config/config.h"
#include "server/engine/engine.h"
#include "server/experiments/registry.h"
#include "server/experiments/trainer.h"
#include "server/storage/store.h"

namespace kith::rpc {

// All outlive the server's calls. Handlers run on gRPC's few threads and never compute nor wait: searches go to the
// engine, uploads and whatever touches the disk to the pool. What waits for other work on an experiment goes to the
// registry, so that one voice never holds up the others.
struct Context {
  config::Limits limits;
  storage::Store* store;
  experiments::Registry* registry;
  experiments::Trainer* trainer;
  engine::Engine* engine;
  ThreadPool* pool;
};

}  // namespace kith::rpc
