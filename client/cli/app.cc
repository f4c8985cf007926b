#include "client/cli/app.h"

#include "client/cli/commands.h"

namespace kith::cli {
namespace {

void AddSharedOptions(CLI::App& app, Context& context) {
  app.add_option("--server", context.server, "Where kithd listens, HOST:PORT")
      ->envname("KITH_SERVER")
      ->capture_default_str();
  app.add_flag("--json", context.json, "Print one JSON object on the last line of stdout");
  app.add_option("--timeout", context.timeout_seconds,
                 "Give up after so many seconds; unset: 30 for a request, none for what may take long: train, add, "
                 "import, export, frames, stream")
      ->check(CLI::PositiveNumber)
      ->type_name("SECONDS");
  app.set_version_flag("--version", "kith " KITH_VERSION);
}

void AddCommands(CLI::App& app, Context& context) {
  AddTrainCommand(app, context);
  AddAddCommand(app, context);
  AddSearchCommand(app, context);
  AddExpandCommand(app, context);
  AddStreamCommand(app, context);
  AddImportCommand(app, context);
  AddExportCommand(app, context);
  AddFramesCommand(app, context);
  AddLinkCommand(app, context);
  AddListCommand(app, context);
  AddShowCommand(app, context);
  AddDeleteCommand(app, context);
  AddHealthCommand(app, context);
  AddGenerateCommand(app, context);
  for (CLI::App* command : app.get_subcommands({})) command->fallthrough();  // shared options behind the command
}

}  // namespace

int RunKith(int argc, const char* const* argv, Context& context) {
  CLI::App app("Train, search and stream voices on a Kith server.", "kith");
  app.footer("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 server not reached.");
  app.require_subcommand(1);
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string("kith: ") + error.what() + "\nRun kith --help, or kith COMMAND --help, for the usage.\n";
  });
  AddSharedOptions(app, context);
  AddCommands(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool only_asked = app.exit(error, context.out, context.err) == 0;  // --help, --version
    return only_asked ? kDone : kWrongUsage;
  }
  return context.exit_code;
}

}  // namespace kith::cli
