// A command that takes the name of an experiment.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "client/cli/commands.h"

namespace kith::cli {

// run(name, context) -> exit code. More options may be added to what it gives.
inline CLI::App* AddNamed(CLI::App& app, Context& context, const char* command_name, const char* help,
                          std::function<int(const std::string&, Context&)> run) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand(command_name, help);
  command->add_option("NAME", *name, "The experiment")->required();
  command->callback([name, run = std::move(run), &context] { context.exit_code = run(*name, context); });
  return command;
}

}  // namespace kith::cli
