// kith import-logs DIR
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/experiment_report.h"
#include "client/cli/feature_files.h"
#include "client/cli/logs_folder.h"
#include "client/cli/progress.h"
#include "client/cpp/error.h"

namespace kith::cli {
namespace {

using Action = LoggedVoice::Action;

struct ImportLogsArguments {
  std::string folder;
  bool dry_run = false;
};

std::string FoundText(const std::vector<LoggedVoice>& voices) {
  size_t width = 5;
  for (const LoggedVoice& voice : voices) width = std::max(width, voice.name.size());
  std::string text;
  for (const LoggedVoice& voice : voices) {
    const std::string shape =
        voice.dimension > 0 ? absl::StrFormat("%9d x %-4d", voice.rows, voice.dimension) : std::string(16, ' ');
    absl::StrAppend(
        &text, absl::StrFormat("%-*s  %-6s  %s  %s\n", static_cast<int>(width), voice.name, ActionName(voice.action),
                               shape, voice.action == Action::kSkip ? voice.why : voice.source));
  }
  return text;
}

Json VoiceJson(const LoggedVoice& voice, const std::string& error) {
  return {{"name", voice.name},
          {"action", ActionName(voice.action)},
          {"source", voice.source.empty() ? Json(nullptr) : Json(voice.source)},
          {"rows", voice.rows},
          {"dimension", voice.dimension},
          {"error", error.empty() ? Json(nullptr) : Json(error)}};
}

absl::StatusOr<Experiment> Bring(Client& client, const LoggedVoice& voice, Context& context) {
  Progress progress(context.err, context.err_is_terminal, "connecting");
  const auto on_progress = [&](const TrainProgress& step) {
    progress.Update(absl::StrCat(voice.name, ": ", std::string(PhaseName(step.phase))), step.done, step.total);
  };
  if (voice.action == Action::kImport) {
    ImportOptions options;
    options.on_progress = on_progress;
    return client.ImportFile(voice.name, voice.source, options, context.MakeCallOptions());
  }
  auto files = ListFeatureFiles({voice.source});
  if (!files.ok()) return files.status();
  FeatureFiles source(*std::move(files), &context.cancellation);
  TrainOptions options;
  options.on_progress = on_progress;
  return client.Train(voice.name, source, options, context.MakeCallOptions());
}

// One voice after the other; what fails costs that voice only, unless there is no server.
int BringAll(std::vector<LoggedVoice> voices, Context& context) {
  Client client(context.MakeClientOptions());
  Json report = Json::array();
  std::string summary;
  int done = 0;
  int failed = 0;
  for (LoggedVoice& voice : voices) {
    if (voice.action == Action::kSkip) {
      report.push_back(VoiceJson(voice, voice.why));
      continue;
    }
    const auto brought = Bring(client, voice, context);
    if (!brought.ok() && (context.interrupted() || IsNotReached(brought.status()))) {
      return Fail(context, brought.status());
    }
    if (brought.ok()) {
      ++done;
      voice.rows = brought->rows;
      voice.dimension = brought->dimension;
      if (!context.json) context.out << voice.name << ": " << IndexText(*brought) << std::endl;
    } else {
      ++failed;
      context.err << "kith: " << voice.name << ": " << brought.status().message() << std::endl;
    }
    report.push_back(VoiceJson(voice, brought.ok() ? "" : std::string(brought.status().message())));
  }
  PrintReport(context.out, context.json, {{"experiments", std::move(report)}},
              absl::StrCat(done, " of ", voices.size(), " voices are on the server now, ", failed, " failed\n"));
  return failed > 0 ? kFailed : kDone;
}

int RunImportLogs(const ImportLogsArguments& arguments, Context& context) {
  auto voices = FindLoggedVoices(arguments.folder);
  if (!voices.ok()) return Fail(context, voices.status());
  if (voices->empty()) {
    return Fail(context, absl::NotFoundError(absl::StrCat(
                             arguments.folder,
                             ": no voice in this folder; give RVC's or Applio's logs folder, which "
                             "has a folder for each with its .index, 3_feature768, 3_feature256 or extracted")));
  }
  if (!context.json) context.out << FoundText(*voices) << std::flush;
  if (!arguments.dry_run) return BringAll(*std::move(voices), context);
  Json report = Json::array();
  for (const LoggedVoice& voice : *voices) report.push_back(VoiceJson(voice, voice.why));
  PrintReport(context.out, context.json, {{"experiments", std::move(report)}}, "");
  return kDone;
}

}  // namespace

void AddImportLogsCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<ImportLogsArguments>();
  CLI::App* command = app.add_subcommand(
      "import-logs", "Bring every voice of RVC's or Applio's logs folder: import its index, or train on its features");
  command->add_option("DIR", arguments->folder, "The logs folder; each voice replaces what its name held")->required();
  command->add_flag("--dry-run", arguments->dry_run, "Only show what was found");
  command->callback([arguments, &context] { context.exit_code = RunImportLogs(*arguments, context); });
}

}  // namespace kith::cli
