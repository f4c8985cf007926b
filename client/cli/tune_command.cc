// kith tune NAME
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/checks.h"
#include "client/cli/commands.h"
#include "client/cli/experiment_report.h"
#include "client/cli/feature_files.h"
#include "client/cli/output_file.h"
#include "client/cli/progress.h"
#include "client/cli/tune_plot.h"
#include "client/cli/tune_report.h"

namespace kith::cli {
namespace {

struct TuneArguments {
  std::string name;
  std::string queries_file;
  TuneOptions options;
  std::string plot_file;
  bool all = false;
  bool apply = false;
};

absl::StatusOr<std::vector<TuneCandidate>> Tune(const TuneArguments& arguments, Client& client, Context& context) {
  TuneOptions options = arguments.options;
  Frames queries;
  if (!arguments.queries_file.empty()) {
    auto loaded = LoadFrames(arguments.queries_file, context);
    if (!loaded.ok()) return loaded.status();
    queries = *std::move(loaded);
    options.queries = queries;
  }
  Progress progress(context.err, context.err_is_terminal, "connecting");
  options.on_progress = [&](const TuneProgress& now) { progress.Update(now.step, now.done, now.total); };
  return client.Tune(arguments.name, options, context.MakeCallOptions());
}

absl::StatusOr<Experiment> Apply(const TuneArguments& arguments, const TuneCandidate& candidate, Client& client,
                                 Context& context) {
  Progress progress(context.err, context.err_is_terminal, "connecting");
  TrainOptions options;
  options.recipe = candidate.recipe;
  options.on_progress = [&](const TrainProgress& step) {
    progress.Update(PhaseName(step.phase), step.done, step.total);
  };
  return client.Retrain(arguments.name, options, context.MakeCallOptions());
}

absl::Status WritePlot(const Experiment& experiment, const std::vector<TuneCandidate>& candidates, OutputFile& file) {
  const std::string title =
      absl::StrCat(experiment.name, ": ", experiment.rows, " frames of ", experiment.dimension, " dimensions");
  if (absl::Status written = file.Write(TunePlot(title, candidates)); !written.ok()) return written;
  return file.Commit();
}

// Told before minutes of work: the number of lists is chosen for the sample, and --apply trains on all frames by it.
void WarnOfSample(const TuneArguments& arguments, const Experiment& experiment, Context& context) {
  const int64_t sample = arguments.options.sample;
  if (!arguments.apply || sample == 0 || sample >= experiment.rows) return;
  context.err << "kith: warning: --apply trains all " << experiment.rows << " frames by a recipe that fits " << sample
              << " (--sample): its number of inverted lists is that for " << sample
              << "; leave out --sample to apply what was measured" << std::endl;
}

int RunTune(const TuneArguments& arguments, Context& context) {
  OutputFile plot(arguments.plot_file);
  const bool plotted = !arguments.plot_file.empty();
  if (absl::Status opened = plotted ? plot.Open() : absl::OkStatus(); !opened.ok()) return Fail(context, opened);
  Client client(context.MakeClientOptions());
  const auto experiment = client.Get(arguments.name, context.MakeCallOptions());
  if (!experiment.ok()) return Fail(context, experiment.status());
  WarnOfSample(arguments, *experiment, context);
  const auto candidates = Tune(arguments, client, context);
  if (!candidates.ok()) return Fail(context, candidates.status());
  // Printed and drawn first: what took minutes is not lost where the rest fails.
  if (!context.json) context.out << CandidateTable(*candidates, arguments.all) << std::flush;
  const absl::Status drawn = plotted ? WritePlot(*experiment, *candidates, plot) : absl::OkStatus();
  if (!drawn.ok()) return Fail(context, drawn);
  std::string text;
  const auto chosen = std::find_if(candidates->begin(), candidates->end(), [](const auto& c) { return c.chosen; });
  const bool apply = arguments.apply && chosen != candidates->end();
  if (apply) {
    const auto built = Apply(arguments, *chosen, client, context);
    if (!built.ok()) return Fail(context, built.status());
    absl::StrAppend(&text, "trained ", built->name, " anew, generation ", built->generation,
                    "\nindex: ", IndexText(*built), "\n");
  }
  const Json report = {{"experiment", experiment->name},
                       {"rows", experiment->rows},
                       {"dimension", experiment->dimension},
                       {"candidates", CandidatesJson(*candidates)},
                       {"applied", apply}};
  PrintReport(context.out, context.json, report, text);
  return kDone;
}

}  // namespace

void AddTuneCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<TuneArguments>();
  TuneOptions& options = arguments->options;
  CLI::App* command =
      app.add_subcommand("tune", "Try recipes and search parameters on a voice, and measure what each is worth");
  command->add_option("NAME", arguments->name, "The experiment")->required();
  command
      ->add_option(
          "--queries", arguments->queries_file,
          "What to measure on: frames of whoever will be converted, 8192 rows at most, a .npy file or a folder "
          "of them; unset: 512 made of the stored frames")
      ->type_name("FILE.npy");
  command->add_option("--sample", options.sample, "Try it on so many of the stored frames; unset: all")
      ->check(AtLeastOne())
      ->type_name("N");
  command
      ->add_option(
          "--target-recall", options.target_recall,
          "The chosen one is the fastest with this recall@8, above 0 to 1, that keeps every frame; unset: 0.95")
      ->check(AboveZeroToOne())
      ->type_name("R");
  command->add_option("--seed", options.seed, "Of everything random; unset: 1234")->type_name("S");
  command->add_option("--plot", arguments->plot_file, "Draw the measurements into this file")->type_name("OUT.svg");
  command->add_flag("--all", arguments->all, "Print all candidates, not the Pareto front only");
  command->add_flag("--apply", arguments->apply, "Train the voice anew by the recipe chosen");
  command->callback([arguments, &context] { context.exit_code = RunTune(*arguments, context); });
}

}  // namespace kith::cli
