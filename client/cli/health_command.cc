// kith health
#include <string>

#include "client/cli/commands.h"

namespace kith::cli {
namespace {

std::string HealthName(Health health) {
  switch (health) {
    case Health::kServing:
      return "SERVING";
    case Health::kNotServing:
      return "NOT_SERVING";
    case Health::kUnknown:
      break;
  }
  return "UNKNOWN";
}

int RunHealth(Context& context) {
  const auto health = Client(context.MakeClientOptions()).GetHealth(context.MakeCallOptions());
  if (!health.ok()) return Fail(context, health.status());
  PrintReport(context.out, context.json, {{"status", HealthName(*health)}}, HealthName(*health) + "\n");
  return *health == Health::kServing ? kDone : kFailed;
}

}  // namespace

void AddHealthCommand(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("health", "Ask whether the server is serving; exit code 0 if it is");
  command->callback([&context] { context.exit_code = RunHealth(context); });
}

}  // namespace kith::cli
