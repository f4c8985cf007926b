// kith bench NAME...: puts the server under load
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/bench/bench_report.h"
#include "client/cli/bench/load.h"
#include "client/cli/bench/server_times.h"
#include "client/cli/checks.h"
#include "client/cli/commands.h"
#include "client/cli/expand_options.h"
#include "client/cli/feature_files.h"
#include "client/cli/speech_like.h"

namespace kith::cli {
namespace {

constexpr uint64_t kSeed = 4321;                      // of the frames that are asked with
constexpr int64_t kGeneratedRows = 4096;              // more than a cache holds
constexpr int kMostConnections = 64;                  // unless more are asked for
constexpr absl::Duration kAsking = absl::Seconds(5);  // for the server's histograms, which come beside the load

struct BenchArguments {
  std::string frames_file;
  std::optional<int> clients;
  std::optional<int> connections;
  std::optional<int> budget_ms;
  double warm_up = 1;
  double seconds = 10;
  LoadOptions load;
};

// The frames to ask with, and that each experiment is there and takes them: a mistake is told at once, and what is not
// in memory is loaded.
absl::StatusOr<Frames> Prepare(const LoadOptions& load, const std::string& file, Context& context) {
  Frames frames;
  if (!file.empty()) {
    auto loaded = LoadFrames(file, context);
    if (!loaded.ok()) return loaded.status();
    frames = *std::move(loaded);
    if (frames.rows() < load.block_rows) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, " has ", frames.rows(), " rows, fewer than a block of ", load.block_rows));
    }
  }
  Client client(load.client);
  for (const std::string& name : load.experiments) {
    if (frames.values.empty()) {
      const auto experiment = client.Get(name, context.MakeCallOptions());
      if (!experiment.ok()) return experiment.status();
      const int dimension = std::max(experiment->dimension, 1);  // 0 before its first training: the block is refused
      const int64_t rows = std::max<int64_t>(kGeneratedRows, load.block_rows);
      frames = {dimension, SpeechLike(dimension, kSeed).Next(rows)};
    }
    const FramesView block = FramesView(frames).Rows(0, load.block_rows);
    const absl::Status answered =
        load.lane.search ? client.Search(name, block, load.lane.params.search, context.MakeCallOptions()).status()
                         : client.Expand(name, block, load.lane.params, context.MakeCallOptions()).status();
    if (!answered.ok()) return answered;
  }
  return frames;
}

// What the server has observed so far; none where it cannot tell.
std::optional<std::vector<Histogram>> Ask(Client& client) {
  CallOptions call;
  call.timeout = kAsking;
  auto info = client.GetServerInfo(call);
  if (!info.ok() || info->histograms.empty()) return std::nullopt;
  return std::move(info->histograms);
}

int RunBench(const BenchArguments& arguments, Context& context) {
  BenchReport report;
  report.load = arguments.load;
  LoadOptions& load = report.load;
  load.client = context.MakeClientOptions();
  if (context.timeout_seconds > 0) load.client.unary_timeout = absl::Seconds(context.timeout_seconds);
  load.connections = std::min(arguments.connections.value_or(kMostConnections), load.clients);
  load.warm_up = absl::Seconds(arguments.warm_up);
  load.duration = absl::Seconds(arguments.seconds);
  if (arguments.budget_ms) load.lane.budget = absl::Milliseconds(*arguments.budget_ms);
  const auto frames = Prepare(load, arguments.frames_file, context);
  if (!frames.ok()) return Fail(context, frames.status());

  Client observer(load.client);
  std::optional<std::vector<Histogram>> before;
  load.on_begin = [&] { before = Ask(observer); };
  load.on_end = [&] {
    const auto after = Ask(observer);
    if (before && after) report.server = Observed(*before, *after);
  };
  auto result = RunLoad(load, *frames, context.cancellation);
  if (!result.ok()) return Fail(context, result.status());
  report.result = *std::move(result);
  if (context.interrupted() && report.result.seconds == 0) return Fail(context, absl::CancelledError());
  if (const std::string message = report.Message(); !message.empty()) {
    context.err << "kith: " << message << std::endl;
  }
  PrintReport(context.out, context.json, report.ToJson(), report.ToText());
  return report.exit_code();
}

void CheckArguments(const BenchArguments& arguments) {
  const LoadOptions& load = arguments.load;
  CheckExpandOptions(load.lane.params);
  if (arguments.budget_ms && load.lane.unary) throw CLI::ValidationError("--budget-ms", "is for streams, not --unary");
  if (arguments.connections && *arguments.connections > load.clients) {
    throw CLI::ValidationError("--connections", "at most one for each of --clients");
  }
  if (load.threads > load.clients) throw CLI::ValidationError("--threads", "at most one for each of --clients");
  if (load.experiments.size() > static_cast<size_t>(load.clients)) {
    throw CLI::ValidationError("NAME", "at most one for each of --clients");
  }
}

void AddLoadOptions(CLI::App& command, BenchArguments& arguments) {
  LoadOptions& load = arguments.load;
  command
      .add_option("--clients", arguments.clients, "At once, each with a stream of its own; unset: one for each NAME")
      ->check(CLI::Range(1, 100000));
  command.add_option("--connections", arguments.connections, "That they share; unset: one each, up to 64")
      ->check(CLI::Range(1, 10000));
  command.add_option("--threads", load.threads, "Of this program")->check(CLI::Range(1, 256))->capture_default_str();
  command.add_option("--block-rows", load.block_rows, "Frames in a block")
      ->check(CLI::Range(1, 8192))
      ->capture_default_str();
  command
      .add_option("--rate", load.rate,
                  "Blocks a second of each client, sent when they are due whether or not earlier ones were answered, "
                  "and timed from then; unset: each client sends its next block once the last one was answered")
      ->check(CLI::Range(0.001, 1e5))
      ->type_name("PER_SECOND");
  command.add_option("--warm-up", arguments.warm_up, "Load before the measuring begins")
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("SECONDS")
      ->capture_default_str();
  command.add_option("--seconds", arguments.seconds, "Measure so long; Ctrl-C ends it and prints what was measured")
      ->check(Seconds())
      ->type_name("SECONDS")
      ->capture_default_str();
}

}  // namespace

void AddBenchCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<BenchArguments>();
  LoadOptions& load = arguments->load;
  CLI::App* command = app.add_subcommand("bench", "Put the server under load and measure how long blocks take");
  command
      ->add_option("NAME", load.experiments,
                   "The experiments: the clients are shared out among them in turn; one that is named twice gets twice "
                   "as many")
      ->required();
  command->add_option("--frames", arguments->frames_file,
                      "Ask with these: a .npy file, or a folder of them; unset: generated ones");
  AddLoadOptions(*command, *arguments);
  command->add_flag("--unary", load.lane.unary, "A call for each block instead of a stream for each client");
  command->add_flag("--search", load.lane.search, "Search only, without the blend");
  command->add_option("--budget-ms", arguments->budget_ms, "Time for a block of a stream; what takes longer is late")
      ->check(CLI::Range(1, 600000));
  AddExpandOptions(*command, load.lane.params);
  command->footer(
      "Exit codes: 0 measured, however many blocks were late; 1 blocks failed, or the server refused; 2 wrong usage; 3 "
      "server not reached.");
  command->callback([arguments, &context] {
    arguments->load.clients = arguments->clients.value_or(static_cast<int>(arguments->load.experiments.size()));
    CheckArguments(*arguments);
    context.exit_code = RunBench(*arguments, context);
  });
}

}  // namespace kith::cli
