// kith tune NAME
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/experiment_report.h"
#include "client/cli/feature_files.h"
#include "client/cli/progress.h"
#include "client/cli/tune_plot.h"
#include "client/cli/tune_report.h"
#include "common/npy/npy.h"

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

absl::Status WritePlot(const TuneArguments& arguments, const Experiment& experiment,
                       const std::vector<TuneCandidate>& candidates) {
  if (arguments.plot_file.empty()) return absl::OkStatus();
  const std::string title =
      absl::StrCat(experiment.name, ": ", experiment.rows, " frames of ", experiment.dimension, " dimensions");
  return npy::WriteFile(arguments.plot_file, TunePlot(title, candidates));
}

int RunTune(const TuneArguments& arguments, Context& context) {
  Client client(context.MakeClientOptions());
  const auto experiment = client.Get(arguments.name, context.MakeCallOptions());
  if (!experiment.ok()) return Fail(context, experiment.status());
  const auto candidates = Tune(arguments, client, context);
  if (!candidates.ok()) return Fail(context, candidates.status());
  // Printed and drawn first: what took minutes is not lost where the rest fails.
  if (!context.json) context.out << CandidateTable(*candidates, arguments.all) << std::flush;
  if (absl::Status written = WritePlot(arguments, *experiment, *candidates); !written.ok()) {
    return Fail(context, written);
  }
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
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command
      ->add_option("--target-recall", options.target_recall,
                   "The chosen one is the fastest with this recall@8 that keeps every frame; unset: 0.95")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("R");
  command->add_option("--seed", options.seed, "Of everything random; unset: 1234")->type_name("S");
  command->add_option("--plot", arguments->plot_file, "Draw the measurements into this file")->type_name("OUT.svg");
  command->add_flag("--all", arguments->all, "Print all candidates, not the Pareto front only");
  command->add_flag("--apply", arguments->apply, "Train the voice anew by the recipe chosen");
  command->callback([arguments, &context] { context.exit_code = RunTune(*arguments, context); });
}

}  // namespace kith::cli
