// kith backup OUT.tar, kith restore IN.tar
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/experiment_report.h"
#include "client/cli/output_file.h"
#include "client/cli/progress.h"
#include "client/cli/stopwatch.h"

namespace kith::cli {
namespace {

// "1 voice", "2 voices".
std::string Count(int64_t count, const char* what) { return absl::StrCat(count, " ", what, count == 1 ? "" : "s"); }

// The file is there only if all of the backup has come.
absl::StatusOr<BackupInfo> Backup(const std::string& path, Context& context) {
  Progress progress(context.err, context.err_is_terminal, "connecting");
  OutputFile file(path);
  int64_t done = 0;
  // Made before anything is asked for: where it cannot be, the server need not read all of its disk.
  if (absl::Status opened = file.Write({}); !opened.ok()) return opened;
  auto info = Client(context.MakeClientOptions())
                  .Backup(
                      [&](absl::Span<const char> bytes) {
                        done += static_cast<int64_t>(bytes.size());
                        progress.Update("MiB received", done >> 20, 0);
                        return file.Write(bytes);
                      },
                      context.MakeCallOptions());
  if (!info.ok()) return info;
  if (absl::Status committed = file.Commit(); !committed.ok()) return committed;
  return info;
}

// "'anna'", "generation 3 of 'anna'".
std::string NameOf(const LeftOut& left_out) {
  return absl::StrCat(left_out.generation == 0 ? "" : absl::StrCat("generation ", left_out.generation, " of "), "'",
                      left_out.experiment, "'");
}

Json LeftOutJson(const std::vector<LeftOut>& left_out) {
  Json list = Json::array();
  for (const LeftOut& each : left_out) {
    list.push_back({{"experiment", each.experiment}, {"generation", each.generation}, {"message", each.message}});
  }
  return list;
}

int RunBackup(const std::string& path, Context& context) {
  const Stopwatch watch;
  const auto info = Backup(path, context);
  if (!info.ok()) return Fail(context, info.status());
  const Json report = {
      {"file", path},         {"experiments", info->experiments},        {"generations", info->generations},
      {"bytes", info->bytes}, {"left_out", LeftOutJson(info->left_out)}, {"seconds", watch.Seconds()}};
  PrintReport(context.out, context.json, report,
              absl::StrFormat("backed up to %s: %s, %s, %s, in %.1f s\n", path, Count(info->experiments, "voice"),
                              Count(info->generations, "generation"), MebibytesText(info->bytes), watch.Seconds()));
  for (const LeftOut& each : info->left_out) {
    context.err << "kith: " << NameOf(each) << " is not in it: " << each.message << "\n";
  }
  return info->left_out.empty() ? kDone : kFailed;
}

absl::StatusOr<std::vector<Experiment>> Restore(const std::string& path, bool replace, Context& context) {
  Progress progress(context.err, context.err_is_terminal, "connecting");
  std::error_code unknown;
  const auto size = std::filesystem::file_size(path, unknown);
  const int64_t total = unknown ? 0 : static_cast<int64_t>(size);
  RestoreOptions options;
  options.replace = replace;
  options.on_bytes = [&progress, total](int64_t done) {
    progress.Update(done < total ? "sending" : "restoring", done, total);
  };
  auto restored = Client(context.MakeClientOptions()).RestoreFile(path, options, context.MakeCallOptions());
  if (absl::IsAlreadyExists(restored.status())) {
    return absl::AlreadyExistsError(
        absl::StrCat(restored.status().message(), " (kith restore --replace puts those of the backup in their place)"));
  }
  return restored;
}

int RunRestore(const std::string& path, bool replace, Context& context) {
  const Stopwatch watch;
  const auto restored = Restore(path, replace, context);
  if (!restored.ok()) return Fail(context, restored.status());
  Json list = Json::array();
  for (const Experiment& experiment : *restored) list.push_back(ExperimentJson(experiment));
  const Json report = {{"file", path}, {"experiments", std::move(list)}, {"seconds", watch.Seconds()}};
  PrintReport(context.out, context.json, report,
              absl::StrFormat("%srestored %s from %s in %.1f s\n", ListText(*restored),
                              Count(restored->size(), "voice"), path, watch.Seconds()));
  return kDone;
}

}  // namespace

void AddBackupCommand(CLI::App& app, Context& context) {
  auto path = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand(
      "backup",
      "Write all voices on the server, as they are at this moment, into a tar; the server goes on serving. What is "
      "damaged there is left out and named, and the exit code is 1; the file then has all the rest");
  command
      ->add_option("OUT.tar", *path,
                   "The file to write; one that is there is replaced. kith restore takes it, and unpacked it is a data "
                   "folder that kithd can be started on")
      ->required();
  command->callback([path, &context] { context.exit_code = RunBackup(*path, context); });
}

void AddRestoreCommand(CLI::App& app, Context& context) {
  struct Arguments {
    std::string path;
    bool replace = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "restore", "Put the voices of a backup in, each with its generations; the server goes on serving");
  command->add_option("IN.tar", arguments->path, "What kith backup wrote")->required();
  command->add_flag("--replace", arguments->replace,
                    "Let them take the place of voices of the same names; without it, one of those is an error");
  command->callback(
      [arguments, &context] { context.exit_code = RunRestore(arguments->path, arguments->replace, context); });
}

}  // namespace kith::cli
