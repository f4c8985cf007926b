// kith stream NAME FILE.npy: the sample real-time client
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/checks.h"
#include "client/cli/commands.h"
#include "client/cli/expand_options.h"
#include "client/cli/feature_files.h"
#include "client/cli/output_file.h"
#include "client/cli/progress.h"
#include "client/cli/stream/pipe_player.h"
#include "client/cli/stream/player.h"
#include "client/cli/stream/stream_report.h"
#include "client/cpp/error.h"

namespace kith::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kOpening{1000};  // how long the first stream may take to open
constexpr milliseconds kGrace{1000};    // for answers that come after the last block was played

struct StreamArguments {
  std::string name;
  std::string file;
  std::string out_file;
  int dimension = 0;  // of stdin
  int block_ms = 250;
  std::optional<int> budget_ms;
  int clients = 1;
  std::optional<double> seconds;
  ExpandParams params;

  bool piped() const { return file == "-"; }
  milliseconds block_time() const { return milliseconds(block_ms); }
  milliseconds budget() const { return milliseconds(budget_ms.value_or(block_ms)); }
};

StreamLinkOptions MakeLinkOptions(const StreamArguments& arguments, Context& context) {
  StreamLinkOptions options;
  options.client = context.MakeClientOptions();
  options.client.connect_timeout = absl::FromChrono(kOpening);
  options.experiment = arguments.name;
  options.request_id = context.request_id;
  options.params = arguments.params;
  options.budget = absl::FromChrono(arguments.budget());
  options.max_queue = MostUnderWay(arguments.block_time(), arguments.budget());
  return options;
}

// Asks for a single frame, so that a mistake (an unknown experiment, a wrong dimension) is told at once and not played
// as silence. OK with `missing` set: the server is not there or slow, and playing starts without it.
absl::Status Probe(const StreamLinkOptions& options, int dimension, Context& context, absl::Status* missing) {
  const Frames frame{dimension, std::vector<float>(dimension)};
  CallOptions call;
  call.request_id = context.request_id;
  call.timeout = absl::FromChrono(kOpening);
  call.cancellation = &context.cancellation;
  const absl::Status status = Client(options.client).Expand(options.experiment, frame, options.params, call).status();
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kUnimplemented:
      return status;
    default:
      *missing = status;
      return absl::OkStatus();
  }
}

// One stream that plays the file.
class Session {
 public:
  Session(const StreamLinkOptions& options, bool keep_output)
      : playout_(keep_output ? Playout::Sink([this](absl::Span<const float> rows) {
          output_.insert(output_.end(), rows.begin(), rows.end());
        })
                             : nullptr),
        link_(options, playout_) {}

  void WaitUntilOpen() { link_.WaitUntilOpen(kOpening); }

  void Play(FramesView frames, const BlockSchedule& schedule, TimePoint start, milliseconds budget,
            const Cancellation& cancellation) {
    Player player(frames, schedule, start, budget, playout_, link_);
    while (const std::optional<TimePoint> wake = player.Step(Clock::now())) {
      if (cancellation.cancelled()) player.End();
      if (player.all_sent()) {
        playout_.WaitForFewerThan(1, *wake);
      } else {
        cancellation.WaitFor(absl::FromChrono(*wake - Clock::now()));
      }
    }
    link_.Stop(kGrace);
  }

  void AddTo(StreamReport* report) const { report->Add(playout_.counts(), link_.counts()); }
  const std::vector<float>& output() const { return output_; }

 private:
  std::vector<float> output_;
  Playout playout_;
  StreamLink link_;
};

// Shows the time played on a terminal until it is stopped.
class PlayingTime {
 public:
  PlayingTime(Context& context, milliseconds total)
      : progress_(context.err, context.err_is_terminal, "playing"), thread_([this, total] {
          const TimePoint start = Clock::now();
          while (!stop_.WaitFor(absl::Milliseconds(100))) {
            const auto played = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
            progress_.Update("playing", played.count(), total.count());
          }
        }) {}
  ~PlayingTime() {
    stop_.Cancel();
    thread_.join();
  }

 private:
  Progress progress_;
  Cancellation stop_;
  std::thread thread_;
};

int Finish(Context& context, std::ostream& stream, const StreamReport& report) {
  if (const std::string message = report.Message(context.server); !message.empty()) {
    context.err << "kith: " << message << std::endl;
  }
  PrintReport(stream, context.json, report.ToJson(), report.ToText());
  return report.ExitCode();
}

int64_t RowsIn(double seconds) { return std::llround(seconds * 1000 / kFrameTime.count()); }

int PlayFile(const StreamArguments& arguments, Context& context) {
  OutputFile out(arguments.out_file);
  const bool keep_output = !arguments.out_file.empty();
  if (absl::Status opened = keep_output ? out.Open() : absl::OkStatus(); !opened.ok()) return Fail(context, opened);
  const auto frames = LoadFrames(arguments.file, context);
  if (!frames.ok()) return Fail(context, frames.status());
  const StreamLinkOptions options = MakeLinkOptions(arguments, context);
  StreamReport report;
  const absl::Status probed = Probe(options, frames->dimension, context, &report.opening_error);
  if (!probed.ok()) return Fail(context, probed);

  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < arguments.clients; ++i) {
    sessions.push_back(std::make_unique<Session>(options, i == 0 && keep_output));
  }
  if (report.opening_error.ok()) {
    for (const auto& session : sessions) session->WaitUntilOpen();
  }
  int64_t rows = arguments.seconds ? RowsIn(*arguments.seconds) : frames->rows();
  if (context.timeout_seconds > 0) rows = std::min(rows, RowsIn(context.timeout_seconds));
  const BlockSchedule schedule(arguments.block_time(), rows);
  const TimePoint start = Clock::now();
  {
    const PlayingTime shown(context, rows * kFrameTime);
    std::vector<std::thread> threads;
    for (int i = 0; i < arguments.clients; ++i) {
      const Clock::duration phase = Phase(arguments.block_time(), i, arguments.clients);
      threads.emplace_back([&, i, phase] {
        sessions[i]->Play(*frames, schedule, start + phase, arguments.budget(), context.cancellation);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  for (const auto& session : sessions) session->AddTo(&report);
  if (keep_output) {
    const absl::Status written = SaveFrames({sessions[0]->output(), frames->dimension}, out);
    if (!written.ok()) {
      context.err << "kith: " << written.message() << std::endl;
      PrintReport(context.out, context.json, report.ToJson(), report.ToText());
      return kFailed;
    }
  }
  return Finish(context, context.out, report);
}

int PlayPipe(const StreamArguments& arguments, Context& context) {
  const StreamLinkOptions options = MakeLinkOptions(arguments, context);
  StreamReport report;
  const absl::Status probed = Probe(options, arguments.dimension, context, &report.opening_error);
  if (!probed.ok()) return Fail(context, probed);

  Cancellation unread;  // nobody reads our output any more, or Ctrl-C
  const int64_t registration = context.cancellation.Register([&unread] { unread.Cancel(); });
  absl::Status written;
  Playout playout([&](absl::Span<const float> rows) {
    if (!written.ok()) return;
    written = WriteFloats(context.out_fd, rows);
    if (!written.ok()) unread.Cancel();
  });
  StreamLink link(options, playout);
  if (report.opening_error.ok()) link.WaitUntilOpen(kOpening);
  PipeOptions pipe{context.in_fd, arguments.dimension, arguments.block_time(), arguments.budget()};
  if (context.timeout_seconds > 0) {
    pipe.end = Clock::now() +
               std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(context.timeout_seconds));
  }
  const absl::Status read = PipePlayer(pipe, unread, playout, link).Run();
  link.Stop(kGrace);
  context.cancellation.Unregister(registration);

  report.Add(playout.counts(), link.counts());
  for (const absl::Status& status : {read, written}) {
    if (!status.ok()) context.err << "kith: " << status.message() << std::endl;
  }
  const int exit_code = Finish(context, context.err, report);  // last, so that a script finds it
  return read.ok() && written.ok() ? exit_code : kFailed;
}

void CheckArguments(const StreamArguments& arguments) {
  CheckExpandOptions(arguments.params);
  if (!arguments.piped()) {
    if (arguments.dimension != 0) throw CLI::ValidationError("--dimension", "is for frames from stdin only (FILE -)");
    return;
  }
  if (arguments.dimension == 0) throw CLI::ValidationError("--dimension", "is needed with FILE -");
  if (arguments.clients != 1) throw CLI::ValidationError("--clients", "stdin can feed one client only");
  if (arguments.seconds) throw CLI::ValidationError("--seconds", "stdin plays until it ends");
  if (!arguments.out_file.empty()) throw CLI::ValidationError("-o", "with FILE - the rows go to stdout");
}

}  // namespace

void AddStreamCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<StreamArguments>();
  CLI::App* command = app.add_subcommand(
      "stream",
      "Play frames in real time through the server, as a voice changer does; what comes late passes unchanged");
  command->add_option("NAME", arguments->name, "The experiment")->required();
  command
      ->add_option("FILE", arguments->file,
                   "The frames: a .npy file, or a folder of them; - reads raw float32 rows from stdin as they come and "
                   "writes the blended rows to stdout")
      ->required();
  command->add_option("--dimension", arguments->dimension, "Columns of a row on stdin, for FILE -")
      ->check(CLI::Range(1, 65536));
  command->add_option("--block-ms", arguments->block_ms, "A block is sent so often; frames last 20 ms each")
      ->check(CLI::Range(20, 60000))
      ->capture_default_str();
  command->add_option("--budget-ms", arguments->budget_ms, "Time for a block until it is played; unset: --block-ms")
      ->check(CLI::Range(1, 600000));
  command->add_option("--clients", arguments->clients, "Independent streams, out of phase with one another")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--seconds", arguments->seconds, "Play so long, the file again and again; unset: the file once")
      ->check(Seconds());
  command->add_option("-o,--output", arguments->out_file, "Where the first client's played frames go")
      ->type_name("OUT.npy");
  AddExpandOptions(*command, arguments->params);
  command->footer(
      "Exit codes: 0 played to the end with the server, however many blocks were late or passed unchanged; 1 blocks "
      "failed with an error, or the server refused a client; 2 wrong usage; 3 the server never answered.");
  command->callback([arguments, &context] {
    CheckArguments(*arguments);
    context.exit_code = arguments->piped() ? PlayPipe(*arguments, context) : PlayFile(*arguments, context);
  });
}

}  // namespace kith::cli
