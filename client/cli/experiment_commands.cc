// kith list, kith show NAME, kith delete NAME
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/experiment_report.h"

namespace kith::cli {
namespace {

std::string ListText(const std::vector<Experiment>& experiments) {
  if (experiments.empty()) return "no experiments yet; kith train NAME FOLDER makes one\n";
  std::string text;
  for (const Experiment& experiment : experiments) {
    absl::StrAppendFormat(&text, "%-24s %-9s", experiment.name, std::string(StateName(experiment.state)));
    if (experiment.generation > 0) {
      absl::StrAppendFormat(&text, "%9d x %-5d %s", experiment.rows, experiment.dimension, IndexText(experiment));
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

int RunList(Context& context) {
  const auto experiments = Client(context.MakeClientOptions()).List(context.MakeCallOptions());
  if (!experiments.ok()) return Fail(context, experiments.status());
  Json list = Json::array();
  for (const Experiment& experiment : *experiments) list.push_back(ExperimentJson(experiment));
  PrintReport(context.out, context.json, {{"experiments", std::move(list)}}, ListText(*experiments));
  return kDone;
}

int RunShow(const std::string& name, Context& context) {
  const auto experiment = Client(context.MakeClientOptions()).Get(name, context.MakeCallOptions());
  if (!experiment.ok()) return Fail(context, experiment.status());
  PrintReport(context.out, context.json, ExperimentJson(*experiment), ExperimentText(*experiment));
  return kDone;
}

int RunDelete(const std::string& name, Context& context) {
  const absl::Status deleted = Client(context.MakeClientOptions()).Delete(name, context.MakeCallOptions());
  if (!deleted.ok()) return Fail(context, deleted);
  PrintReport(context.out, context.json, {{"name", name}}, absl::StrCat("deleted ", name, "\n"));
  return kDone;
}

// A command that takes the name of an experiment and nothing else.
void AddNamed(CLI::App& app, Context& context, const char* command_name, const char* help,
              int (*run)(const std::string&, Context&)) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand(command_name, help);
  command->add_option("NAME", *name, "The experiment")->required();
  command->callback([name, run, &context] { context.exit_code = run(*name, context); });
}

}  // namespace

void AddListCommand(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("list", "List the experiments on the server");
  command->callback([&context] { context.exit_code = RunList(context); });
}

void AddShowCommand(CLI::App& app, Context& context) {
  AddNamed(app, context, "show", "Show one experiment: its frames, its index, its recall", RunShow);
}

void AddDeleteCommand(CLI::App& app, Context& context) {
  AddNamed(app, context, "delete", "Delete an experiment and everything stored of it", RunDelete);
}

}  // namespace kith::cli
