// kith load NAME, kith unload NAME, kith pin NAME, kith unpin NAME
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/experiment_report.h"
#include "client/cli/named_command.h"

namespace kith::cli {
namespace {

// What one of these commands is: how the client does it, and what is said then, of "anna: 43.0 MiB".
struct Residency {
  const char* command;
  const char* help;
  absl::StatusOr<Experiment> (Client::*call)(std::string_view, const CallOptions&);
  std::string (*text)(const Experiment&);
};

constexpr Residency kCommands[] = {
    {"load", "Load a voice into memory, as its first use would", &Client::Load,
     [](const Experiment& voice) { return absl::StrCat("loaded ", voice.name, ": ", MemoryText(voice)); }},
    {"unload", "Let go of a voice's memory once the searches that run have ended; its next use loads it again",
     &Client::Unload,
     [](const Experiment& voice) { return absl::StrCat("unloaded ", voice.name, "; its next use loads it again"); }},
    {"pin", "Load a voice and keep it in memory, whoever else needs room, also after a restart", &Client::Pin,
     [](const Experiment& voice) { return absl::StrCat("pinned ", voice.name, ": ", MemoryText(voice)); }},
    {"unpin", "Let a pinned voice leave memory when others need room", &Client::Unpin,
     [](const Experiment& voice) {
       return absl::StrCat("unpinned ", voice.name, "; it may leave memory when others need room");
     }},
};

int Run(const Residency& residency, const std::string& name, Context& context) {
  Client client(context.MakeClientOptions());
  const auto voice = (client.*residency.call)(name, context.MakeCallOptions());
  if (!voice.ok()) return Fail(context, voice.status());
  std::string text = absl::StrCat(residency.text(*voice), "\n");
  if (!voice->message.empty()) absl::StrAppend(&text, StateText(*voice), "\n");
  PrintReport(context.out, context.json, ExperimentJson(*voice), text);
  return kDone;
}

}  // namespace

void AddResidencyCommands(CLI::App& app, Context& context) {
  for (const Residency& residency : kCommands) {
    AddNamed(app, context, residency.command, residency.help,
             [&residency](const std::string& name, Context& of) { return Run(residency, name, of); });
  }
}

}  // namespace kith::cli
