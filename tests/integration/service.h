// A whole server in this process, over a data folder.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/base/thread_pool.h"
#include "server/config/live_limits.h"
#include "server/engine/engine.h"
#include "server/experiments/memory_budget.h"
#include "server/experiments/registry.h"
#include "server/experiments/trainer.h"
#include "server/rpc/server.h"
#include "server/storage/store.h"
#include "server/telemetry/metrics.h"

namespace kith::testing {

// A door that threads wait at until somebody opens it for good.
class Gate {
 public:
  void Open();
  void Wait();

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

struct ServiceOptions {
  config::Limits limits;
  engine::EngineOptions engine{2, 65536, 256};
  int64_t memory = int64_t{4} << 30;      // the budget
  experiments::RegistryOptions registry;  // its max_experiments is that of the limits
  rpc::Security security;
  std::shared_ptr<telemetry::SlowLog> slow_log = std::make_shared<telemetry::SlowLog>(std::chrono::milliseconds(0));
  experiments::TrainerOptions training;  // one thread: an index is then the same each time
};

class Service {
 public:
  // Throws where it cannot start.
  Service(const std::string& data_dir, const ServiceOptions& options);

  const std::string& address() const { return server_->address(); }
  rpc::Server& server() { return *server_; }
  config::LiveLimits& limits() { return limits_; }

  // Rows that wait for a worker.
  int64_t waiting_rows() const { return engine_.waiting_rows(); }

  experiments::Registry& registry() { return *registry_; }

  // What was counted and timed.
  const telemetry::Metrics& metrics() const { return *metrics_; }

  // What serves the experiment now.
  std::shared_ptr<const experiments::Generation> Find(const std::string& name) const;

  // Gives a worker of the engine something to do with the experiment that lasts until the gate opens; returns once the
  // worker is at it.
  void HoldWorker(const std::string& name, const std::shared_ptr<Gate>& gate);

  // Writes the experiment's index, as an export does, to where there is no room until the gate opens; returns once that
  // is under way. Additions to the experiment wait for it.
  void HoldExport(const std::string& name, const std::shared_ptr<Gate>& gate);

  // Puts a job of so many rows into the engine's queue.
  void Enqueue(const std::string& name, int64_t rows) {
    Submit(name, rows, [] {});
  }

  // Returns once a block or call for the experiment, which none was for before, waits in the engine.
  void WaitUntilTaken(const std::string& name) const;

 private:
  // A search of `rows` zeros whose results nobody wants.
  void Submit(const std::string& name, int64_t rows, std::function<void()> on_result);

  const std::shared_ptr<telemetry::Metrics> metrics_ =
      std::make_shared<telemetry::Metrics>(telemetry::BuildInfo{"0.0.0-test", "", ""});
  config::LiveLimits limits_;
  std::unique_ptr<storage::Store> store_;
  experiments::MemoryBudget budget_;
  std::unique_ptr<experiments::Registry> registry_;
  engine::Engine engine_;
  std::unique_ptr<experiments::Trainer> trainer_;
  ThreadPool pool_;
  std::unique_ptr<rpc::Server> server_;
  std::vector<std::future<void>> exports_;  // HoldExport's; waited for at the end
};

}  // namespace kith::testing
