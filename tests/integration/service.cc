#include "tests/integration/service.h"

#include <stdexcept>
#include <utility>

#include "absl/time/clock.h"
#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

template <typename Value>
Value OrThrow(absl::StatusOr<Value> value) {
  if (!value.ok()) throw std::runtime_error(value.status().ToString());
  return *std::move(value);
}

experiments::RegistryOptions RegistryOptionsOf(const ServiceOptions& options) {
  experiments::RegistryOptions registry = options.registry;
  registry.max_experiments = options.limits.experiments;
  return registry;
}

engine::EngineOptions Observed(engine::EngineOptions options, telemetry::Metrics* metrics) {
  options.on_batch = [metrics](int64_t rows) { metrics->ObserveBatch(rows); };
  return options;
}

}  // namespace

void Gate::Open() {
  const std::lock_guard<std::mutex> lock(mutex_);
  open_ = true;
  opened_.notify_all();
}

void Gate::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  opened_.wait(lock, [this] { return open_; });
}

Service::Service(const std::string& data_dir, const ServiceOptions& options)
    : limits_(options.limits),
      store_(OrThrow(storage::Store::Open(data_dir))),
      budget_(options.memory),
      registry_(OrThrow(experiments::Registry::Open(store_.get(), &budget_, RegistryOptionsOf(options)))),
      engine_(Observed(options.engine, metrics_.get())),
      trainer_(std::make_unique<experiments::Trainer>(store_.get(), &budget_, options.training)),
      pool_(4),
      server_(OrThrow(rpc::Server::Start({&limits_,
                                          store_.get(),
                                          registry_.get(),
                                          trainer_.get(),
                                          &engine_,
                                          &pool_,
                                          metrics_,
                                          options.slow_log,
                                          {"0.0.0-test", options.engine.threads, absl::Now()}},
                                         "127.0.0.1:0", options.security))) {}

std::shared_ptr<const experiments::Generation> Service::Find(const std::string& name) const {
  return OrThrow(registry_->AcquireNow(name));
}

void Service::Submit(const std::string& name, int64_t rows, std::function<void()> on_result) {
  const auto generation = Find(name);
  const int dimension = generation->index->dimension();
  const auto queries = std::make_shared<std::vector<float>>(rows * dimension);
  engine::Job job;
  job.index = experiments::IndexOf(generation);
  job.params = OrThrow(generation->index->Resolve({}));
  job.queries = {queries->data(), rows, dimension};
  job.consume = [queries, on_result](int64_t, retrieval::NeighborsView) { on_result(); };
  job.done = [](const absl::Status&) {};
  if (absl::Status status = engine_.Submit(std::move(job)); !status.ok()) throw std::runtime_error(status.ToString());
}

void Service::HoldWorker(const std::string& name, const std::shared_ptr<Gate>& gate) {
  const auto at_it = std::make_shared<Gate>();
  Submit(name, 1, [at_it, gate] {
    at_it->Open();
    gate->Wait();
  });
  at_it->Wait();
}

void Service::HoldExport(const std::string& name, const std::shared_ptr<Gate>& gate) {
  const auto at_it = std::make_shared<Gate>();
  exports_.push_back(std::async(std::launch::async, [=] {
    (void)experiments::WriteIndex(*Find(name), [&](absl::Span<const char>) {
      at_it->Open();
      gate->Wait();
      return absl::OkStatus();
    });
  }));
  at_it->Wait();
}

void Service::WaitUntilTaken(const std::string& name) const {
  const auto generation = Find(name);
  // The registry's, ours, and that of whoever searches it.
  WaitUntil([&] { return generation.use_count() > 2; });
}

}  // namespace kith::testing
