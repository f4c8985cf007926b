// kithd: puts the rooms together, serves until it is told to stop, drains.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/clock.h"
#include "server/app/check.h"
#include "server/app/grpc_log.h"
#include "server/app/observe.h"
#include "server/app/options.h"
#include "server/app/reload.h"
#include "server/app/security.h"
#include "server/app/signals.h"
#include "server/app/status_page.h"
#include "server/app/supervisor.h"
#include "server/base/clock.h"
#include "server/base/cores.h"
#include "server/base/memory.h"
#include "server/engine/engine.h"
#include "server/experiments/folding.h"
#include "server/experiments/importer.h"
#include "server/experiments/memory_budget.h"
#include "server/experiments/registry.h"
#include "server/experiments/trainer.h"
#include "server/retrieval/platform.h"
#include "server/rpc/server.h"
#include "server/storage/store.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"
#include "server/telemetry/slow_log.h"

namespace kith::app {
namespace {

// Threads for uploads and for what touches the disk; and for changes to the experiments, one at most for each.
constexpr int kPoolThreads = 4;
constexpr int kStorageThreads = 4;

// How long trainings have beyond drain_seconds to come to where they can stop.
constexpr std::chrono::seconds kTrainerPatience(2);

// So long after the last batch a training still leaves a core to the searches: several blocks of a real-time client.
constexpr std::chrono::seconds kSearching(1);

// In which gRPC has to answer this process itself, or systemd's watchdog is not fed.
constexpr std::chrono::seconds kAnswerPatience(10);

std::string Text(const absl::Status& status) { return std::string(status.message()); }

void LogPlatform(const retrieval::Platform& platform, int search_threads) {
  spdlog::info("kithd {}: faiss {}, {}; {}; {} search threads", KITH_VERSION, platform.faiss, platform.instruction_set,
               platform.blas, search_threads);
  if (!platform.warning.empty()) spdlog::warn("{}", platform.warning);
}

// `metrics`, here and below, outlives what the options are for.
experiments::RegistryOptions ExperimentOptions(const config::Config& config, telemetry::Metrics* metrics) {
  experiments::RegistryOptions options;
  options.max_experiments = config.limits.experiments;
  options.preload = config.preload;
  options.threads = kStorageThreads;
  options.on_loaded = [](const std::string& name, const absl::Status& status, double seconds) {
    if (status.ok()) {
      spdlog::info("experiment '{}' loaded in {:.3f} s", name, seconds);
    } else {
      spdlog::error("experiment '{}' cannot be loaded: {}", name, Text(status));
    }
  };
  options.on_degraded = [](const std::string& name, int64_t serving, const absl::Status& failure) {
    spdlog::error("experiment '{}' is DEGRADED: generation {} serves, because the current one cannot be read: {}", name,
                  serving, Text(failure));
  };
  options.on_let_go = [metrics](const std::string& name) {
    metrics->CountEviction();
    spdlog::info("experiment '{}' let go of to make room", name);
  };
  options.on_load = [metrics](const absl::Status& status, bool degraded) {
    using telemetry::LoadOutcome;
    metrics->CountLoad(!status.ok() ? LoadOutcome::kFailed : degraded ? LoadOutcome::kDegraded : LoadOutcome::kOk);
  };
  return options;
}

experiments::FoldingOptions FoldingOptionsOf(const config::Config& config, telemetry::Metrics* metrics) {
  experiments::FoldingOptions options;
  options.rows = config.storage.fold_rows;
  options.bytes = config.storage.fold_bytes;
  options.nice = config.training.nice;
  options.on_folded = [metrics](const std::string& name, const absl::Status& status, int64_t rows, double seconds) {
    metrics->CountFold(status);
    if (status.ok()) {
      spdlog::info("experiment '{}': {} rows folded into a new snapshot in {:.1f} s", name, rows, seconds);
    } else {
      spdlog::warn("experiment '{}': additions were not folded, and stay in the log: {}", name, Text(status));
    }
  };
  return options;
}

void LogTraining(const experiments::TrainingEnd& end) {
  const char* const done = end.is_import ? "imported" : "trained";
  if (end.status.ok()) {
    spdlog::info("experiment '{}' {} in {:.1f} s", end.name, done, end.seconds);
  } else {
    spdlog::warn("experiment '{}' was not {}: {}", end.name, done, Text(end.status));
  }
}

experiments::ImportOptions ImportLimits(const config::Config& config) {
  experiments::ImportOptions options;
  options.max_file_bytes = config.limits.import_bytes;
  options.max_frame_bytes = config.limits.import_bytes;
  options.cpu_seconds = config.training.import_seconds;
  options.time = 2 * absl::Seconds(config.training.import_seconds);
  return options;
}

// `engine` and `metrics` outlive what the options are for.
experiments::TrainerOptions TrainingOptions(const config::Config& config, int cores, const engine::Engine* engine,
                                            telemetry::Metrics* metrics) {
  const config::Training& training = config.training;
  experiments::TrainerOptions options;
  const int threads = training.threads > 0 ? training.threads : cores;
  options.threads = std::max(1, threads / training.concurrent);
  if (training.threads == 0) {
    const int beside_searches = std::min(options.threads, std::max(1, (cores - 1) / training.concurrent));
    options.threads_now = [engine, alone = options.threads, beside_searches] {
      return Clock::now() - engine->last_batch() < kSearching ? beside_searches : alone;
    };
  }
  options.concurrent = training.concurrent;
  options.nice = training.nice;
  options.queue = training.queue;
  options.compress_above_rows = training.compress_above_rows;
  options.compress_centres = training.compress_centres;
  options.import = ImportLimits(config);
  options.on_finished = [metrics](const experiments::TrainingEnd& end) {
    end.is_import ? metrics->CountImport(end.status) : metrics->CountTraining(end.status);
    LogTraining(end);
  };
  return options;
}

// Ends the process beside a training that is inside a call of faiss: those cannot be stopped and may last for minutes.
// It was told to stop and starts to save nothing any more; what was stored is durable.
[[noreturn]] void LeaveTrainingBehind() {
  spdlog::info("drained; a training that cannot be stopped is left behind; what it has not saved is not kept");
  spdlog::default_logger()->flush();
  std::fflush(nullptr);
  _exit(0);
}

// Serves until a signal to stop comes, and reads the configuration again at each SIGHUP.
int WaitForStop(const Signals& signals, const rpc::Server& server, Reload* reload) {
  const std::string status = "listening on " + server.address();
  TellReady(status);
  const auto watchdog = WatchdogInterval();
  TimePoint due = watchdog ? Clock::now() + *watchdog : TimePoint::max();
  while (true) {
    if (Clock::now() >= due) {  // however many signals come
      if (server.Answers(kAnswerPatience)) TellAlive();
      due = Clock::now() + *watchdog;
    }
    const int signal = watchdog ? signals.WaitUntil(due) : signals.Wait();
    if (signal == SIGHUP && reload->possible()) {
      TellReloading();
      reload->Run();
      TellReady(status);
    } else if (signal != 0) {
      return signal;
    }
  }
}

void Drain(rpc::Server* server, experiments::Trainer* trainer, std::chrono::seconds patience) {
  const TimePoint start = Clock::now();
  server->Drain(patience);
  if (!trainer->WaitUntilIdle(Clock::now() + kTrainerPatience, start + patience)) LeaveTrainingBehind();
  spdlog::info("drained in {:.2f} s", SecondsSince(start));
}

absl::Status Serve(const Options& options, const Security& security, const Signals& signals) {
  const config::Config& config = options.config;
  const int cores = UsableCores();
  const int search_threads = config.search.threads > 0 ? config.search.threads : cores;
  const absl::Time started = absl::Now();
  retrieval::InitializeFaiss();
  const retrieval::Platform platform = retrieval::DescribePlatform();
  LogPlatform(platform, search_threads);
  security.Log(config);
  const auto metrics = std::make_shared<telemetry::Metrics>(
      telemetry::BuildInfo{KITH_VERSION, platform.faiss, platform.instruction_set});

  storage::StoreOptions storage;
  storage.keep_generations = config.storage.keep_generations;
  storage.on_repair = [](const std::string& what) { spdlog::warn("{}", what); };
  auto store = storage::Store::Open(config.data_dir, storage);
  if (!store.ok()) return store.status();
  experiments::MemoryBudget budget(config.memory.budget.Of(UsableMemory()));
  auto registry = experiments::Registry::Open(store->get(), &budget, ExperimentOptions(config, metrics.get()));
  if (!registry.ok()) return registry.status();
  spdlog::info("{} experiments; a budget of {} MiB of memory", (*registry)->List("", SIZE_MAX).size(),
               budget.limit() >> 20);
  for (const std::string& name : config.preload) {
    if (!(*registry)->Describe(name).ok()) spdlog::warn("preload: there is no experiment '{}'", name);
  }
  experiments::Folding folding(store->get(), &budget, registry->get(), FoldingOptionsOf(config, metrics.get()));

  engine::EngineOptions searching;
  searching.threads = search_threads;
  searching.queue_rows = config.search.queue_rows;
  searching.batch_rows = config.search.batch_rows;
  searching.lets_others_in = cores == 1;
  searching.on_batch = [&metrics](int64_t rows) { metrics->ObserveBatch(rows); };
  engine::Engine engine(searching);
  experiments::Trainer trainer(store->get(), &budget, TrainingOptions(config, cores, &engine, metrics.get()));
  ThreadPool pool(kPoolThreads, [] { retrieval::SetThreadsOfThisThread(1); });  // additions leave the cores to searches
  std::atomic<bool> ready{false};
  const auto is_ready = [&] { return ready.load(); };
  Observer observer({&engine, registry->get(), &trainer, &budget, config.data_dir, started, is_ready},
                    config.metrics.experiments);
  StatusPage page(&observer, metrics.get(), {KITH_VERSION, platform.instruction_set, search_threads});
  const auto http = ServeHttp(config.http.listen,
                              {[&] { return metrics->Text(observer.Look()); }, is_ready,
                               [&](const auto& what, const auto& query) { return page.Answer(what, query); }},
                              security.http());
  if (!http.ok()) return http.status();
  const auto slow_log = std::make_shared<telemetry::SlowLog>(std::chrono::milliseconds(config.log.slow_ms));
  config::LiveLimits limits(config.limits);
  const rpc::Context context{&limits,  store->get(), registry->get(),
                             &trainer, &engine,      &pool,
                             metrics,  slow_log,     {KITH_VERSION, search_threads, started}};
  auto server = rpc::Server::Start(context, config.listen, security.rpc());
  if (!server.ok()) return server.status();
  ready = true;
  std::printf("listening on %s\n", (*server)->address().c_str());
  std::fflush(stdout);
  spdlog::info("listening on {}", (*server)->address());

  Reload reload(options.file, options.overrides, config, [&](const config::Config& before, const config::Config& now) {
    limits.Set(now.limits);
    (*server)->SetRates(now.limits);
    (*registry)->SetMaxExperiments(now.limits.experiments);
    engine.SetQueueRows(now.search.queue_rows);
    budget.SetLimit(now.memory.budget.Of(UsableMemory()));
    folding.SetThresholds(now.storage.fold_rows, now.storage.fold_bytes);
    // Only then: kith log-level may have set another meanwhile. The configuration has checked it.
    if (now.log.level != before.log.level) telemetry::SetLogLevel(now.log.level).IgnoreError();
  });
  const int signal = WaitForStop(signals, **server, &reload);
  signals.StopAtOnceFromNowOn();
  TellStopping();
  spdlog::info("signal {}: draining", signal);
  ready = false;
  Drain(server->get(), &trainer, std::chrono::seconds(reload.running().drain_seconds));
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  // What an import starts; not for people.
  if (argc == 5 && std::string_view(argv[1]) == experiments::kReadIndexFlag) {
    return experiments::ReadIndexFile(argv[2], argv[3], argv[4]);
  }
  ConfigureAllocator();
  const Signals signals;
  const ParsedOptions parsed = ParseOptions(argc, argv);
  if (!parsed.options) return parsed.exit_code;
  const config::Config& config = parsed.options->config;
  if (parsed.options->check) return CheckData(*parsed.options->check);
  const auto security = Security::Open(config);
  if (!security.ok()) {
    std::fprintf(stderr, "kithd: %s\n", Text(security.status()).c_str());
    return 2;
  }
  if (parsed.options->check_config) {
    const std::string warning = (*security)->Warning(config);
    if (!warning.empty()) std::fprintf(stderr, "kithd: warning: %s\n", warning.c_str());
    std::printf("the configuration is good\n");
    return 0;
  }
  if (absl::Status status = telemetry::SetUpLogging(config.log.level, config.log.format); !status.ok()) {
    std::fprintf(stderr, "kithd: %s\n", Text(status).c_str());
    return 2;
  }
  LogWhatGrpcSays();
  const absl::Status status = Serve(*parsed.options, **security, signals);
  if (status.ok()) return 0;
  spdlog::error("{}", Text(status));
  return 1;
}

}  // namespace
}  // namespace kith::app

int main(int argc, char** argv) { return kith::app::Main(argc, argv); }
