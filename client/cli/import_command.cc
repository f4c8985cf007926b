// kith import NAME FILE
#include <memory>
#include <string>

#include "client/cli/built_report.h"
#include "client/cli/commands.h"
#include "client/cli/progress.h"
#include "client/cli/stopwatch.h"

namespace kith::cli {
namespace {

struct ImportArguments {
  std::string name;
  std::string file;
  bool detach = false;
};

int RunImport(const ImportArguments& arguments, Context& context) {
  const Stopwatch watch;
  const auto imported = [&] {
    Progress progress(context.err, context.err_is_terminal, "connecting");
    ImportOptions options;
    options.detach = arguments.detach;
    options.on_progress = [&progress](const TrainProgress& step) {
      progress.Update(PhaseName(step.phase), step.done, step.total);
    };
    return Client(context.MakeClientOptions())
        .ImportFile(arguments.name, arguments.file, options, context.MakeCallOptions());
  }();
  if (!imported.ok()) return Fail(context, imported.status());
  const double seconds = watch.Seconds();
  PrintReport(context.out, context.json, BuiltJson(*imported, seconds), BuiltText("imported", *imported, seconds));
  return kDone;
}

}  // namespace

void AddImportCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<ImportArguments>();
  CLI::App* command = app.add_subcommand("import", "Make a voice of a faiss index file; it replaces what NAME held");
  command->add_option("NAME", arguments->name, "The experiment")->required();
  command
      ->add_option(
          "FILE", arguments->file,
          "RVC's added_*.index, or another faiss index whose vectors can be rebuilt and whose ids are 0 to N-1; "
          "its metric and nprobe are kept")
      ->required();
  command->add_flag("--detach", arguments->detach, "Return once the server has the file, and let it import alone");
  command->callback([arguments, &context] { context.exit_code = RunImport(*arguments, context); });
}

}  // namespace kith::cli
