// kith log-level [LEVEL]
#include <memory>
#include <string>

#include "client/cli/commands.h"

namespace kith::cli {
namespace {

int Tell(Context& context) {
  const auto info = Client(context.MakeClientOptions()).GetServerInfo(context.MakeCallOptions());
  if (!info.ok()) return Fail(context, info.status());
  PrintReport(context.out, context.json, {{"level", info->log_level}}, info->log_level + "\n");
  return kDone;
}

int Change(const std::string& level, Context& context) {
  const auto previous = Client(context.MakeClientOptions()).SetLogLevel(level, context.MakeCallOptions());
  if (!previous.ok()) return Fail(context, previous.status());
  PrintReport(context.out, context.json, {{"level", level}, {"previous", *previous}},
              "the server logs " + level + " and worse until it is started anew; it was " + *previous + "\n");
  return kDone;
}

}  // namespace

void AddLogLevelCommand(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("log-level", "Change what the server logs, until it is started anew");
  auto level = std::make_shared<std::string>();
  command->add_option("LEVEL", *level, "trace, debug, info, warn or error; without it, tell what the server logs now")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));
  command->callback(
      [&context, level] { context.exit_code = level->empty() ? Tell(context) : Change(*level, context); });
}

}  // namespace kith::cli
