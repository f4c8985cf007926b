// The commands of `kith`. Each function adds one to the parser; when it is parsed, it runs and sets context.exit_code.
// Both must outlive the parsing.
#pragma once

#include "CLI/CLI.hpp"
#include "client/cli/context.h"

namespace kith::cli {

void AddTrainCommand(CLI::App& app, Context& context);
void AddAddCommand(CLI::App& app, Context& context);
void AddSearchCommand(CLI::App& app, Context& context);
void AddExpandCommand(CLI::App& app, Context& context);
void AddStreamCommand(CLI::App& app, Context& context);
void AddImportCommand(CLI::App& app, Context& context);
void AddImportLogsCommand(CLI::App& app, Context& context);
void AddExportCommand(CLI::App& app, Context& context);
void AddFramesCommand(CLI::App& app, Context& context);
void AddTuneCommand(CLI::App& app, Context& context);
void AddLinkCommand(CLI::App& app, Context& context);
void AddListCommand(CLI::App& app, Context& context);
void AddShowCommand(CLI::App& app, Context& context);
void AddResidencyCommands(CLI::App& app, Context& context);  // load, unload, pin, unpin
void AddGenerationsCommand(CLI::App& app, Context& context);
void AddRollbackCommand(CLI::App& app, Context& context);
void AddBackupCommand(CLI::App& app, Context& context);
void AddRestoreCommand(CLI::App& app, Context& context);
void AddDeleteCommand(CLI::App& app, Context& context);
void AddBenchCommand(CLI::App& app, Context& context);
void AddHealthCommand(CLI::App& app, Context& context);
void AddGenerateCommand(CLI::App& app, Context& context);
void AddTokenCommand(CLI::App& app, Context& context);

}  // namespace kith::cli
