#include "client/cli/app.h"

#include "client/cli/checks.h"
#include "client/cli/commands.h"

namespace kith::cli {
namespace {

void AddSecurityOptions(CLI::App& app, Context& context) {
  const CLI::Validator file_or_system(
      [](const std::string& ca) { return ca == TlsOptions::kSystemCa ? "" : CLI::ExistingFile(ca); }, "");
  app.add_option("--tls-ca", context.tls.ca,
                 "PEM file of the authorities that the server's certificate is by, for TLS; 'system' for the machine's")
      ->envname("KITH_TLS_CA")
      ->check(file_or_system)
      ->type_name("FILE");
  app.add_option("--tls-cert", context.tls.cert, "PEM file of this client's certificate, where the server wants one")
      ->envname("KITH_TLS_CERT")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  app.add_option("--tls-key", context.tls.key, "PEM file of its private key")
      ->envname("KITH_TLS_KEY")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  app.add_option("--token-file", context.token_file, "File with the token for the server")
      ->envname("KITH_TOKEN_FILE")
      ->type_name("FILE");
}

void AddSharedOptions(CLI::App& app, Context& context) {
  app.add_option("--server", context.server, "Where kithd listens, HOST:PORT")
      ->envname("KITH_SERVER")
      ->capture_default_str();
  AddSecurityOptions(app, context);
  app.add_flag("--json", context.json, "Print one JSON object on the last line of stdout");
  app.add_option("--timeout", context.timeout_seconds,
                 "Give up after so many seconds; unset: 30 for a request, none for what may take long: train, add, "
                 "import, export, frames, tune, load, pin, rollback, backup, restore. stream plays no longer than that")
      ->check(Seconds())
      ->type_name("SECONDS");
  app.add_option(
         "--request-id", context.request_id,
         "Names the command's calls for the server's log and in its errors: 1 to 128 characters of visible ASCII; "
         "unset: the server makes one for each")
      ->check(RequestId())
      ->type_name("ID");
  app.set_version_flag("--version", "kith " KITH_VERSION);
}

void AddCommands(CLI::App& app, Context& context) {
  AddTrainCommand(app, context);
  AddAddCommand(app, context);
  AddSearchCommand(app, context);
  AddExpandCommand(app, context);
  AddStreamCommand(app, context);
  AddImportCommand(app, context);
  AddImportLogsCommand(app, context);
  AddExportCommand(app, context);
  AddFramesCommand(app, context);
  AddTuneCommand(app, context);
  AddLinkCommand(app, context);
  AddListCommand(app, context);
  AddShowCommand(app, context);
  AddResidencyCommands(app, context);
  AddGenerationsCommand(app, context);
  AddRollbackCommand(app, context);
  AddDeleteCommand(app, context);
  AddBackupCommand(app, context);
  AddRestoreCommand(app, context);
  AddBenchCommand(app, context);
  AddHealthCommand(app, context);
  AddLogLevelCommand(app, context);
  AddGenerateCommand(app, context);
  AddTokenCommand(app, context);
  for (CLI::App* command : app.get_subcommands({})) command->fallthrough();  // shared options behind the command
}

// What was printed has to be there, or the command has failed.
int FlushOutput(Context& context, int exit_code) {
  if (context.out.flush()) return exit_code;
  context.err << "kith: stdout: cannot be written" << std::endl;
  return exit_code == kDone ? kFailed : exit_code;
}

// CLI11 asks for a command before it says that it knows no such one.
std::string UsageMessage(const CLI::App* app, const CLI::Error& error) {
  std::string what = error.what();
  const bool no_command = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && app->get_subcommands().empty();
  if (const auto unknown = app->remaining(); no_command && !unknown.empty()) {
    what = (unknown[0][0] == '-' ? "unknown option " : "unknown command ") + unknown[0];
  }
  return "kith: " + what + "\nRun kith --help, or kith COMMAND --help, for the usage.\n";
}

}  // namespace

int RunKith(int argc, const char* const* argv, Context& context) {
  CLI::App app("Train, search and stream voices on a Kith server.", "kith");
  app.footer("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 server not reached.");
  app.require_subcommand(1);
  app.failure_message(UsageMessage);
  AddSharedOptions(app, context);
  AddCommands(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool only_asked = app.exit(error, context.out, context.err) == 0;  // --help, --version
    return only_asked ? FlushOutput(context, kDone) : kWrongUsage;
  }
  return FlushOutput(context, context.exit_code);
}

}  // namespace kith::cli
