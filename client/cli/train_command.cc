// kith train NAME [PATH...]
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/built_report.h"
#include "client/cli/commands.h"
#include "client/cli/feature_files.h"
#include "client/cli/progress.h"
#include "client/cli/stopwatch.h"

namespace kith::cli {
namespace {

struct TrainArguments {
  std::string name;
  std::vector<std::string> paths;
  Recipe recipe;
  bool has_recipe = false;  // any of its options was given
  bool detach = false;
};

absl::StatusOr<Experiment> Train(const TrainArguments& arguments, Context& context) {
  Progress progress(context.err, context.err_is_terminal);
  TrainOptions options;
  if (arguments.has_recipe) options.recipe = arguments.recipe;
  options.detach = arguments.detach;
  options.on_progress = [&progress](const TrainProgress& step) {
    progress.Update(PhaseName(step.phase), step.done, step.total);
  };
  Client client(context.MakeClientOptions());
  if (arguments.paths.empty()) return client.Retrain(arguments.name, options, context.MakeCallOptions());

  auto files = ListFeatureFiles(arguments.paths);
  if (!files.ok()) return files.status();
  FeatureFiles source(*std::move(files), &context.cancellation);
  return client.Train(arguments.name, source, options, context.MakeCallOptions());
}

int RunTrain(const TrainArguments& arguments, Context& context) {
  const Stopwatch watch;
  const auto built = Train(arguments, context);
  if (!built.ok()) return Fail(context, built.status());
  const double seconds = watch.Seconds();
  PrintReport(context.out, context.json, BuiltJson(*built, seconds), BuiltText("trained", *built, seconds));
  return kDone;
}

}  // namespace

void AddTrainCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<TrainArguments>();
  Recipe& recipe = arguments->recipe;
  CLI::App* command = app.add_subcommand("train", "Train a voice on a folder of frames; it replaces what NAME held");
  command->add_option("NAME", arguments->name, "The experiment")->required();
  command->add_option("PATH", arguments->paths,
                      "Folders of .npy files (RVC's 3_feature256 or 3_feature768) or .npy files, [T,d] or [1,T,d], "
                      "float32 or float16. None: train again on the frames that the server holds");
  CLI::Option_group* how =
      command->add_option_group("Recipe", "How the index is made. None of these without PATH: as it was last trained");
  CLI::Option* name = how->add_option("--recipe", recipe.name, "auto, rvc, rvc-2023 or fastscan; unset: auto");
  how->add_option("--factory", recipe.factory, "A faiss factory string instead of a recipe")->excludes(name);
  static const std::map<std::string, Metric> metrics = {
      {"l2", Metric::kL2}, {"inner-product", Metric::kInnerProduct}, {"cosine", Metric::kCosine}};
  how->add_option("--metric", recipe.metric, "l2, inner-product or cosine; unset: l2")
      ->transform(CLI::Transformer(metrics))
      ->type_name("METRIC");
  how->add_option("--nprobe", recipe.nprobe, "Inverted lists that a search visits; unset: the recipe's own");
  how->add_option("--k-factor", recipe.k_factor, "Candidates re-ranked per neighbour; unset: 4");
  how->add_option("--seed", recipe.seed, "Of everything random in the training; unset: 1234");
  command->add_flag("--detach", arguments->detach, "Return once the server has the frames, and let it train alone");
  command->callback([arguments, how, &context] {
    arguments->has_recipe = how->count_all() > 0;
    context.exit_code = RunTrain(*arguments, context);
  });
}

}  // namespace kith::cli
