#include "server/app/options.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace kith::app {
namespace {

constexpr int kBadConfiguration = 2;

template <typename Value>
std::optional<Value> Given(const CLI::Option* option, const Value& value) {
  if (option->count() == 0) return std::nullopt;
  return value;
}

std::optional<std::string> InsecureByEnvironment() {
  const char* const value = std::getenv("KITH_INSECURE");
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

}  // namespace

ParsedOptions ParseOptions(int argc, char** argv) {
  CLI::App app(
      "Nearest-neighbour server for retrieval-based voice conversion: trains, holds and searches voices over gRPC.",
      "kithd");
  std::string file;
  std::string listen;
  std::string data_dir;
  std::string log_level;
  Options options;
  app.add_option("--config", file, "YAML file; config/kithd.yaml of the sources explains every key")->type_name("FILE");
  const auto* listen_flag =
      app.add_option("--listen", listen, "Address to serve on; port 0 takes a free one (default 127.0.0.1:50051)")
          ->type_name("HOST:PORT");
  const auto* data_dir_flag =
      app.add_option("--data-dir", data_dir, "Folder in which experiments are kept (default kith-data)")
          ->type_name("DIR");
  const auto* log_level_flag =
      app.add_option("--log-level", log_level, "trace, debug, info, warn or error (default info)")->type_name("LEVEL");
  app.add_flag("--check-config", options.check_config, "Check the configuration and exit");
  app.add_option("--check", options.check,
                 "Verify a data folder that no server uses: every row, every file, every index; then exit")
      ->type_name("DATA_DIR");
  app.set_version_flag("--version", "kithd " KITH_VERSION);
  app.footer(
      "Flags override the file. Prints 'listening on HOST:PORT' once it serves; logs go to stderr.\n"
      "SIGTERM or SIGINT drains and exits 0; a second one stops at once. SIGHUP reads the file again and takes on "
      "what\n"
      "can change while it serves, which the log tells; without --config it is as SIGTERM.\n"
      "Exit codes: 0 after a drain, or where --check finds no fault; 2 for a wrong command line or configuration; 1 "
      "for\n"
      "any other failure, faults that --check finds included.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, app.exit(error) == 0 ? 0 : kBadConfiguration};
  }

  absl::StatusOr<config::Config> config = file.empty() ? config::Config() : config::Load(file);
  if (config.ok()) {
    options.overrides = {Given(listen_flag, listen), Given(data_dir_flag, data_dir), Given(log_level_flag, log_level),
                         InsecureByEnvironment()};
    config = config::WithOverrides(*std::move(config), options.overrides);
  }
  if (config.ok()) {
    if (const absl::Status status = config::CheckExposure(*config); !status.ok()) config = status;
  }
  if (!config.ok()) {
    std::fprintf(stderr, "kithd: %s\n", std::string(config.status().message()).c_str());
    return {std::nullopt, kBadConfiguration};
  }
  options.config = *std::move(config);
  options.file = file;
  return {std::move(options), 0};
}

}  // namespace kith::app
