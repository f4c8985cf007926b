// kith list, kith show NAME, kith delete NAME
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/experiment_report.h"
#include "client/cli/named_command.h"

namespace kith::cli {
namespace {

int RunList(Context& context) {
  const auto experiments = Client(context.MakeClientOptions()).List(context.MakeCallOptions());
  if (!experiments.ok()) return Fail(context, experiments.status());
  Json list = Json::array();
  for (const Experiment& experiment : *experiments) list.push_back(ExperimentJson(experiment));
  PrintReport(context.out, context.json, {{"experiments", std::move(list)}},
              experiments->empty() ? "no experiments yet; kith train NAME FOLDER makes one\n" : ListText(*experiments));
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

}  // namespace

void AddListCommand(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("list", "List the experiments on the server");
  command->callback([&context] { context.exit_code = RunList(context); });
}

void AddShowCommand(CLI::App& app, Context& context) {
  AddNamed(app, context, "show", "Show one experiment: its frames, its index, its recall, where it is", RunShow);
}

void AddDeleteCommand(CLI::App& app, Context& context) {
  AddNamed(app, context, "delete", "Delete an experiment and everything stored of it", RunDelete);
}

}  // namespace kith::cli
